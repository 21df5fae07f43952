//! What a step does, in one clause. Told from the step's label, what it changed, and what its actor does next; never from
//! the test. A step that nothing needs to be said of has no phrase; a path that is not in the table is told by its changes.

use cowherd_model::witness::{Trace, TraceStep};

use super::generic;
use super::memory::{Memory, page_of_pte};

/// A step and what is around it.
pub struct Scene<'a> {
    trace: &'a Trace,
    at: usize,
    step: &'a TraceStep,
    before: &'a Memory,
    after: &'a Memory,
}

impl<'a> Scene<'a> {
    /// The step with this number, and the memory before and after it.
    pub fn new(trace: &'a Trace, at: usize, before: &'a Memory, after: &'a Memory) -> Scene<'a> {
        Scene {
            trace,
            at,
            step: &trace.steps[at],
            before,
            after,
        }
    }

    /// The next step of the same call.
    fn next(&self) -> Option<&'a TraceStep> {
        if self.step.ends {
            return None;
        }
        let mine = |s: &&TraceStep| s.actor == self.step.actor;
        self.trace.steps[self.at + 1..].iter().find(mine)
    }

    fn next_label(&self) -> &'a str {
        self.next().map_or("", |s| &s.label)
    }

    /// The steps of this call, up to this one, latest first.
    fn so_far(&self) -> impl Iterator<Item = &'a TraceStep> {
        let actor = self.step.actor;
        let mut over = false;
        self.trace.steps[..=self.at]
            .iter()
            .rev()
            .filter(move |s| s.actor == actor)
            .take_while(move |s| {
                let take = !over;
                over |= s.begins;
                take
            })
    }

    /// The page that this call is about: the last one that it changed, or that its address maps.
    fn page(&self) -> String {
        let changed = |s: &TraceStep| {
            let objects = s.changes.iter().map(|c| c.object.as_str());
            objects
                .filter(|o| o.starts_with("page "))
                .map(str::to_string)
                .next()
        };
        let touched = self.so_far().find_map(changed);
        touched
            .or_else(|| self.mapped_page())
            .unwrap_or_else(|| "the page".into())
    }

    /// The page that the address of the call maps.
    fn mapped_page(&self) -> Option<String> {
        self.before
            .all()
            .filter(|(_, field, _)| *field == "PTE")
            .find(|(object, _, _)| {
                let variable = object.rsplit(':').next().unwrap_or(object);
                mentions(&self.step.call, variable)
            })
            .and_then(|(_, _, pte)| page_of_pte(pte))
    }

    /// A change of this step, by field.
    fn changed(&self, field: &str) -> Option<&'a cowherd_model::diff::Change> {
        self.step.changes.iter().find(|c| c.field == field)
    }

    fn refcount(&self, page: &str) -> u32 {
        self.before.count(page, "refcount")
    }

    /// `read fault`, `write fault`, `unshare fault`: what the call needs the page for.
    fn fault(&self) -> &'static str {
        let call = &self.step.call;
        if call.starts_with("madvise") || call.starts_with("ksm") {
            return "a fault";
        }
        let left = call.split_once(" = ").map(|(left, _)| left);
        if left.is_some_and(|l| l.contains('[') || is_variable(l))
            || writes(call)
            || self.breaks_cow()
        {
            "write fault"
        } else if self.step.label.starts_with('W') {
            // A fault that only reads leaves a PTE that is there alone.
            "unshare fault"
        } else {
            "read fault"
        }
    }

    /// Does this call's GUP break COW although it only reads? 17839856fd58, of v5.8, made it ask for FOLL_WRITE.
    fn breaks_cow(&self) -> bool {
        let forced = |(feature, has): &(String, bool)| feature == "gup_force_cow" && *has;
        self.so_far().any(|step| step.asked.iter().any(forced))
    }
}

/// Does the text name the variable as a word?
fn mentions(text: &str, variable: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == variable)
}

/// The left side of a store to a variable of one cell; `r0` and handles are not.
fn is_variable(left: &str) -> bool {
    let register = left
        .strip_prefix('r')
        .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    !register && left.split(' ').count() == 1
}

/// Does the call's GUP ask for FOLL_WRITE?
fn writes(call: &str) -> bool {
    let call = call.rsplit(" = ").next().unwrap_or(call);
    let writers = [
        "pread",
        "read_submit",
        "register_buffer",
        "mem_write",
        "process_vm_writev",
    ];
    writers.iter().any(|name| call.starts_with(name))
        || call.contains("FOLL_WRITE")
        || call.contains("MADV_POPULATE_WRITE")
}

/// What the step does, if that is worth saying.
pub fn phrase(s: &Scene) -> Option<String> {
    let label = s.step.label.as_str();
    let generic = || generic::changes(&s.step.changes, s.before, s.after);
    match label {
        "CPU walk" | "WP0" | "SI2" | "SI5" | "SI8" | "SI9" | "SI11" | "SI13" | "SI15" | "SI17" => {
            None
        }
        "CPU load" => Some(format!("reads {}", s.accessed())),
        "CPU store" => cpu_store(s),
        "SI3b" => Some("reads the slot past the swap cache".into()),
        "SI3c" | "SI4" => None,
        "SI14" => swap_in(s),
        "SI12" | "SI16" => free_swap(s),
        "userfault" => Some("waits for userfaultfd, then tries again".into()),
        "map new page" | "map zero page" => map_anonymous(s),
        "allocate" | "WC1" | "WC3" | "WC4" | "WC5" => None,
        "WP3" | "WP7" => cannot_reuse(s),
        "WP4" => Some("drains this CPU's LRU batch".into()),
        "WP5" if s.next_label().starts_with("WC") => Some(format!("cannot lock {}", s.page())),
        "WP1" | "WP9" => trapped(s).or_else(|| reuse(s)).or_else(generic),
        "WP8" => None,
        "WC6" => copied(s),
        "WC8" => free_swap(s),
        "GF3" | "follow" => grab(s).or_else(generic),
        "enter" => submitted(s).or_else(generic),
        "unpin" => generic().or_else(|| dropped(s)),
        "GF undo" => Some("GUP-fast backs off and drops it again".into()),
        "DR2" => Some("marks the page dirty".into()),
        "DR3" => Some("submits the I/O".into()),
        "I/O wait" => Some("the call returns".into()),
        "RC0" => isolate(s),
        "RC1" if s.next_label() == "RCx" => Some("cannot lock it".into()),
        "RC2" if gives_up(s) => Some(keep_early(s)),
        "RC3" => add_to_swap(s),
        "RU2" | "RU3" | "RU5" => None,
        "RU6" => restored(s),
        "RU8" => unmap(s).or_else(generic),
        "RC5" if gives_up(s) => Some("gives up: it is still mapped, or pinned".into()),
        "RC8" if gives_up(s) => Some(page_out_gives_up(s)),
        "RC11" => Some(written_out(s)),
        "RC15" => Some(freeze(s)),
        "RC17" if gives_up(s) => Some("keeps it: it is dirty again".into()),
        "RC flush" => generic(),
        "RCx" => None,
        "device load" => Some(format!("reads {}", s.held())),
        "copy from page" => Some(format!("reads {}", s.page())),
        "read pipe" => Some(format!("reads {} from the pipe", s.buffer())),
        "tee" | "splice" => Some(format!("hands {} on", s.buffer())),
        "release buffer" => generic(),
        "RC12" => swap_write(s),
        "RC13" => Some(format!("writeback of {} ends", s.page())),
        _ => generic(),
    }
}

impl Scene<'_> {
    /// What a CPU accesses, and whether its translation is stale.
    fn accessed(&self) -> String {
        let Some(page) = self.translated() else {
            return self.page();
        };
        if let Some(how) = self.stale(&page) {
            format!("{page} {how}")
        } else if page == "page 0" {
            "the zero page".into()
        } else {
            page
        }
    }

    /// How the TLB's translation to this page is out of date: no PTE of the variable that the call names maps the page any more,
    /// or the PTE allows less.
    fn stale(&self, page: &str) -> Option<&'static str> {
        let mut named = self.before.all().filter(|(address, field, _)| {
            let variable = address.rsplit(':').next().unwrap_or(address);
            *field == "PTE" && mentions(&self.step.call, variable)
        });
        let maps = |pte: &str| match page {
            "page 0" => pte.starts_with("zero page"),
            _ => page_of_pte(pte).is_some_and(|p| p == page),
        };
        let Some((_, _, pte)) = named.find(|(_, _, pte)| maps(pte)) else {
            return Some("through a stale TLB entry");
        };
        if pte.contains("PROT_NONE") {
            Some("through a TLB entry that still allows it; the PTE does not")
        } else if self.step.label == "CPU store" && !pte.contains(" W") {
            Some("through a TLB entry that is still writable; the PTE is not")
        } else {
            None
        }
    }

    /// What a page is counted to have, with its pins, which weigh more.
    fn counts(&self, page: &str) -> String {
        match self.before.count(page, "pins") {
            0 => format!("refcount {}", self.refcount(page)),
            1 => format!("refcount {} and a pin", self.refcount(page)),
            n => format!("refcount {} and {n} pins", self.refcount(page)),
        }
    }

    /// The page that a `get` or `pin` holds, and whether anybody maps it.
    fn held(&self) -> String {
        let handle = self.step.call.rsplit(" = ").next().unwrap_or_default();
        let handle = handle.split('[').next().unwrap_or_default();
        // The step that took the reference names the page.
        let took = self.trace.steps[..self.at].iter().find(|s| {
            s.call.split(" = ").next() == Some(handle)
                && s.changes.iter().any(|c| c.object.starts_with("holder "))
        });
        let page = took
            .and_then(|s| s.changes.iter().find(|c| c.object.starts_with("holder ")))
            .map_or_else(|| self.page(), |c| c.to.clone());
        if page.starts_with("page ") && self.before.mapped_at(&page).is_empty() {
            format!("{page}, which no page table maps")
        } else {
            page
        }
    }

    /// What is in the pipe that the step takes from.
    fn buffer(&self) -> String {
        let changed = self.step.changes.iter().find(|c| c.field == "buffers");
        let first = |text: &str| text.split(", ").next().unwrap_or_default().to_string();
        let from = changed.map(|c| first(if c.from.is_empty() { &c.to } else { &c.from }));
        from.or_else(|| {
            let mut pipes = self
                .before
                .all()
                .filter(|(_, field, _)| *field == "buffers");
            pipes
                .find(|(_, _, now)| !now.is_empty())
                .map(|(_, _, now)| first(now))
        })
        .filter(|page| !page.is_empty())
        .unwrap_or_else(|| "the page".into())
    }

    /// The page that the CPU's TLB gives for the variable of the call.
    fn translated(&self) -> Option<String> {
        let cpu = format!("CPU {}", self.step.actor);
        self.before
            .all()
            .filter(|(object, field, _)| *object == cpu && field.starts_with("TLB "))
            .find(|(_, field, _)| mentions(&self.step.call, &field["TLB ".len()..]))
            .and_then(|(_, _, entry)| page_of_pte(entry))
    }
}

fn cpu_store(s: &Scene) -> Option<String> {
    let stale = s.translated().and_then(|page| s.stale(&page));
    match s.step.changes.iter().find(|c| c.field.starts_with('[')) {
        Some(c) => {
            let what = format!(
                "writes {}={} into {}",
                s.before.cell(&c.object, &c.field),
                c.to,
                c.object
            );
            Some(match stale {
                Some(how) => format!("{what} {how}"),
                None => what,
            })
        }
        None => Some(format!("stores to {}", s.accessed())),
    }
}

/// SI14: the swap-in fault sets the PTE.
fn swap_in(s: &Scene) -> Option<String> {
    let pte = s.changed("PTE")?;
    let page = page_of_pte(&pte.to)?;
    let did = |label: &str| s.so_far().any(|step| step.label == label);
    let from = if did("SI3b") {
        "past the swap cache"
    } else if did("SI4") {
        "from the swap device"
    } else {
        "from the swap cache"
    };
    let access = if pte.to.contains(" W") {
        "writable"
    } else {
        "read-only"
    };
    let why = if pte.from.contains("exclusive") {
        "; the swap PTE remembered that it is exclusive"
    } else {
        ""
    };
    Some(format!("{} maps {page} {access} {from}{why}", s.fault()))
}

fn free_swap(s: &Scene) -> Option<String> {
    let removed = s.changed("PG_swapcache").filter(|c| c.to.is_empty());
    match removed {
        Some(c) => Some(format!("removes {} from the swap cache", c.object)),
        None => {
            let freed = s.step.changes.iter().find(|c| c.to == "free")?;
            Some(format!("{} is freed", freed.object))
        }
    }
}

fn map_anonymous(s: &Scene) -> Option<String> {
    let pte = s.changed("PTE")?;
    match page_of_pte(&pte.to) {
        Some(page) if s.after.get(&page, "") == "page cache" => {
            Some(format!("read fault maps {page} of the page cache"))
        }
        Some(page) if s.so_far().any(|step| step.label.starts_with("copy from")) => Some(format!(
            "{} copies the page cache to {page} and maps that",
            s.fault()
        )),
        Some(page) => Some(format!("{} maps {page}, new and zeroed", s.fault())),
        None => Some(format!("{} maps the zero page", s.fault())),
    }
}

/// WP3, WP7: the test of the count, if it fails.
fn cannot_reuse(s: &Scene) -> Option<String> {
    if s.next_label() != "WC1" {
        return reuse(s);
    }
    let page = s.mapped_page().unwrap_or_else(|| s.page());
    let counts = if s.step.function == "reuse_swap_page" {
        format!("mapcount {}", s.before.count(&page, "mapcount"))
    } else {
        s.counts(&page)
    };
    if s.before.get(&page, "") == "KSM" {
        return Some(format!("{} cannot reuse {page}: a KSM page", s.fault()));
    }
    Some(format!("{} cannot reuse {page}: {counts}", s.fault()))
}

/// WP1: userfaultfd has write-protected the page, and the fault goes to it; where nobody may wait for it, nowhere.
fn trapped(s: &Scene) -> Option<String> {
    let trap = |(address, field, pte): (&str, &str, &str)| {
        let variable = address.rsplit(':').next().unwrap_or(address);
        field == "PTE" && pte.contains("uffd-wp") && mentions(&s.step.call, variable)
    };
    let next = s.next_label();
    let goes_on = next.starts_with('W') || s.changed("PTE").is_some();
    if goes_on || !s.before.all().any(trap) || s.fault() == "unshare fault" {
        return None;
    }
    Some(match next {
        "userfault" => "userfaultfd traps the fault: the page is write-protected".into(),
        _ => "the fault is userfaultfd's, which nobody here may wait for: nothing is copied".into(),
    })
}

/// The write fault makes the PTE writable.
fn reuse(s: &Scene) -> Option<String> {
    let pte = s.changed("PTE")?;
    let (old, new) = (page_of_pte(&pte.from)?, page_of_pte(&pte.to)?);
    if old != new || pte.from.contains(" W") || !pte.to.contains(" W") {
        return None;
    }
    let why = if s.before.get(&new, "PG_anon_exclusive") == "set" && s.step.label == "WP1" {
        ": it is exclusive"
    } else {
        ""
    };
    Some(format!(
        "{} reuses {new}, makes it writable{why}",
        s.fault()
    ))
}

/// WC6: the copy is mapped.
fn copied(s: &Scene) -> Option<String> {
    let new = page_of_pte(&s.changed("PTE")?.to)?;
    let old = s
        .so_far()
        .flat_map(|step| &step.changes)
        .filter(|c| c.field == "PTE")
        .find_map(|c| {
            if c.from.starts_with("zero page") {
                Some("the zero page".to_string())
            } else {
                page_of_pte(&c.from)
            }
        })
        .unwrap_or_else(|| "the page".into());
    let what = match s.fault() {
        "unshare fault" => "unshares",
        _ => "copies",
    };
    Some(format!("{what} {old} to {new} and maps that"))
}

/// GF3, follow: the reference.
fn grab(s: &Scene) -> Option<String> {
    let taken = |field: &str| {
        s.step.changes.iter().find(|c| {
            let number = |text: &str| text.parse::<u32>().unwrap_or(0);
            c.field == field && number(&c.to) > number(&c.from)
        })
    };
    let (flag, c) = match (taken("pins"), taken("refcount")) {
        (Some(c), _) => ("FOLL_PIN", c),
        (None, Some(c)) => ("FOLL_GET", c),
        (None, None) => return None,
    };
    let write = if writes(&s.step.call) {
        "|FOLL_WRITE"
    } else {
        ""
    };
    Some(format!(
        "takes a {flag}{write} reference on {} ({} {})",
        c.object, c.field, c.to
    ))
}

/// A transfer of a registered buffer, which looks up no page.
fn submitted(s: &Scene) -> Option<String> {
    let state = s.changed("state")?;
    state
        .to
        .starts_with("in flight")
        .then(|| "submits the I/O".into())
}

/// A long-lived reference that goes.
fn dropped(s: &Scene) -> Option<String> {
    let of = s.changed("refcount")?;
    Some(format!(
        "drops its reference on {} (refcount {})",
        of.object, of.to
    ))
}

/// Does reclaim keep the page after this step?
fn gives_up(s: &Scene) -> bool {
    matches!(s.next_label(), "RCx" | "RC flush" | "")
}

fn isolate(s: &Scene) -> Option<String> {
    match s.changed("PG_lru") {
        Some(c) => Some(format!("isolates {} from the LRU", c.object)),
        None => Some("finds no page that it may isolate".into()),
    }
}

fn keep_early(s: &Scene) -> String {
    let page = s.page();
    if s.before.get(&page, "PG_writeback") == "set" {
        format!("keeps {page}: it is under writeback")
    } else {
        format!(
            "keeps {page}: it may be pinned (pins {})",
            s.before.get(&page, "pins")
        )
    }
}

fn add_to_swap(s: &Scene) -> Option<String> {
    match s.changed("PG_swapcache") {
        Some(c) => Some(format!("adds {} to the swap cache ({})", c.object, c.to)),
        None => Some("finds no free swap slot".into()),
    }
}

fn restored(s: &Scene) -> Option<String> {
    let c = s.changed("PTE")?;
    let page = page_of_pte(&c.to)?;
    Some(format!("restores the PTE: {page} may be pinned"))
}

fn unmap(s: &Scene) -> Option<String> {
    let c = s.changed("PTE")?;
    if !c.to.starts_with("swap") {
        return None;
    }
    let forgets = s.changed("PG_anon_exclusive").is_some();
    let how = if c.to.contains("exclusive") {
        ", remembering in the swap PTE that it is exclusive"
    } else if forgets {
        ", and PG_anon_exclusive is forgotten"
    } else {
        ""
    };
    Some(format!("unmaps it{how}"))
}

fn page_out_gives_up(s: &Scene) -> String {
    let page = s.page();
    if s.before.get(&page, "PG_swapcache").is_empty() {
        return format!("page-out gives up: {page} is in no swap cache");
    }
    format!("page-out gives up: {}, expected 2", s.counts(&page))
}

fn written_out(s: &Scene) -> String {
    let page = s.page();
    match s.after.get(&page, "PG_swapcache") {
        "" => format!("keeps {page}: no swap PTE is left"),
        slot => format!("starts to write {page} to {slot}"),
    }
}

fn freeze(s: &Scene) -> String {
    let page = s.page();
    if gives_up(s) {
        format!("keeps {page}: {}", s.counts(&page))
    } else {
        format!("freezes the refcount of {page}")
    }
}

fn swap_write(s: &Scene) -> Option<String> {
    let cells: Vec<String> = s
        .step
        .changes
        .iter()
        .filter(|c| c.object.starts_with("slot ") && c.field.starts_with('['))
        .map(|c| format!("{}={}", c.field, c.to))
        .collect();
    if cells.is_empty() {
        Some("the device reads the page".into())
    } else {
        Some(format!("the device writes {}", cells.join(" ")))
    }
}

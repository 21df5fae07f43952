//! What threads and the kernel may do: a bound, written down as a test whose threads hold the whole menu.

use std::fmt::Write;

use super::Grain;

/// What a user may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word {
    /// The name: of the call, as the language has it.
    pub name: &'static str,
    /// What it allows.
    pub about: &'static str,
    /// Is it allowed if the user names nothing?
    pub usual: bool,
}

const fn word(name: &'static str, usual: bool, about: &'static str) -> Word {
    Word { name, about, usual }
}

/// Everything that may be allowed.
pub const MENU: &[Word] = &[
    word("load", true, "loads"),
    word("store", true, "stores"),
    word("fork", true, "fork, each process once"),
    word("exit", false, "exit of a child"),
    word("pread", true, "direct reads, into the first cell"),
    word("pwrite", false, "direct writes, of the first cell"),
    word("vmsplice", false, "vmsplice into a pipe, and reading it"),
    word("tee", false, "tee to a second pipe, and reading that"),
    word(
        "pin",
        true,
        "a long-term pin for writing, as of a registered buffer, and its end",
    ),
    word("pin-ro", false, "a long-term pin for reading, and its end"),
    word(
        "get",
        false,
        "a FOLL_GET reference for writing that lasts, and its end",
    ),
    word("dontneed", true, "MADV_DONTNEED"),
    word("free", false, "MADV_FREE"),
    word("munmap", false, "munmap"),
    word("pageout", false, "MADV_PAGEOUT"),
    word("willneed", false, "MADV_WILLNEED"),
    word("cold", false, "MADV_COLD"),
    word(
        "populate",
        false,
        "MADV_POPULATE_READ and MADV_POPULATE_WRITE",
    ),
    word("dontfork", false, "MADV_DONTFORK and MADV_DOFORK"),
    word("wipeonfork", false, "MADV_WIPEONFORK and MADV_KEEPONFORK"),
    word(
        "unmergeable",
        false,
        "MADV_UNMERGEABLE, which breaks KSM pages apart",
    ),
    word(
        "mremap",
        false,
        "mremap of the first page to an empty place",
    ),
    word("mprotect", true, "mprotect to PROT_READ, and back"),
    word("clear_refs", true, "soft-dirty tracking starts anew"),
    word("mem_write", false, "a write to /proc/self/mem"),
    word(
        "mem_of",
        false,
        "a write to and a read of /proc/pid/mem of a child, by its parent",
    ),
    word(
        "vm_of",
        false,
        "process_vm_writev and process_vm_readv, by a child's parent",
    ),
    word(
        "uffd_wp",
        false,
        "pages are registered: UFFDIO_WRITEPROTECT, and back",
    ),
    word(
        "uffd_rwp",
        false,
        "the same against loads, too (not together with uffd_wp)",
    ),
    word(
        "uffd_move",
        false,
        "UFFDIO_MOVE of the first page to an empty place",
    ),
    word(
        "uffd_copy",
        false,
        "UFFDIO_COPY and UFFDIO_ZEROPAGE to an empty place",
    ),
    word("move_pages", false, "move_pages(2)"),
    word("reclaim", true, "reclaim, as of a memory cgroup"),
    word("migrate", true, "migration, as of compaction"),
    word(
        "ksm",
        false,
        "ksmd merges the first two pages, which are equal at first",
    ),
    word("swapoff", false, "swapoff"),
    word("numa_scan", false, "NUMA hinting"),
];

/// A bound on programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Processes: 1 to 4, or 8 in the wide build. All but the first are forked, if fork is allowed.
    pub processes: usize,
    /// Threads of each.
    pub threads: usize,
    /// Kernel activities at once.
    pub kernel: usize,
    /// Pages: 1 to 4, or 64 in the wide build.
    pub pages: usize,
    /// Cells of each page: 1 or 2.
    pub cells: usize,
    /// Calls and activities, all together.
    pub calls: u8,
    /// What may be called.
    pub allowed: Vec<&'static str>,
    /// What swap is on, as the language has it: `async`, `sync`, `sync stable`, `none`.
    pub swap: String,
    /// Who does direct I/O, as the language has it.
    pub files: String,
    /// Broken promises that count, as bits of [`crate::spec::Alarms::word`].
    pub counts: u64,
    /// How finely calls interleave.
    pub grain: Grain,
}

impl Bound {
    /// May `word` be called?
    pub fn allows(&self, word: &str) -> bool {
        self.allowed.contains(&word)
    }

    /// Has the kernel anything to do?
    pub fn kernel_acts(&self) -> bool {
        !kernel_menu(self, &Layout::plain(self)).is_empty()
    }

    /// Pages, and the empty place that some calls need.
    pub fn places(&self) -> usize {
        let hole = ["mremap", "uffd_move", "uffd_copy"];
        self.pages + usize::from(hole.iter().any(|word| self.allows(word)))
    }

    /// Are pages registered with userfaultfd, and how? The empty place: `hole`.
    fn registered(&self, hole: bool) -> Option<&'static str> {
        if hole && self.allows("uffd_copy") {
            Some("missing")
        } else if self.allows("uffd_rwp") {
            Some("rwp")
        } else {
            (self.allows("uffd_wp") || hole && self.allows("uffd_move")).then_some("wp")
        }
    }

    /// The names of the processes.
    pub fn process(n: usize) -> &'static str {
        ["A", "B", "C", "D", "E", "F", "G", "H"][n]
    }

    /// The names of the pages.
    pub fn page(n: usize) -> String {
        match ["x", "y", "z", "u"].get(n) {
            Some(name) => (*name).into(),
            None => format!("x{n}"),
        }
    }

    /// The declaration of a page that was touched and holds values of its own, or of the empty place.
    fn declaration(&self, page: usize) -> String {
        let hole = page == self.pages;
        // What ksmd is to merge is equal.
        let first = if self.allows("ksm") && page < 2 {
            0
        } else {
            page
        };
        let values: Vec<String> = (0..self.cells)
            .map(|cell| (first * self.cells + cell + 1).to_string())
            .collect();
        let mut text = format!("anon {}[{}]", Bound::page(page), self.cells);
        if !hole {
            let _ = write!(text, " = {{ {} }}", values.join(", "));
        }
        if let Some(mode) = self.registered(hole) {
            let _ = write!(text, " uffd({mode})");
        }
        text + ";"
    }
}

/// How the things of a bound are laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The declaration of each page, and of the empty place.
    pub pages: Vec<String>,
    /// For each process, the one that forks it; for the first, itself.
    pub parents: Vec<usize>,
    /// The processes and pages to which direct I/O and long-lived references go, as far as there is room, and accesses of others.
    pub devices: Vec<(usize, usize)>,
    /// The pages that ksmd looks at together.
    pub merged: Vec<(usize, usize)>,
    /// Swap slots, where not as many as usual.
    pub slots: Option<u8>,
}

impl Layout {
    /// Pages were touched; the first process forks all others; whoever comes first has the devices.
    pub fn plain(bound: &Bound) -> Layout {
        let everywhere = |process| (0..bound.pages).map(move |page| (process, page));
        Layout {
            pages: (0..bound.places()).map(|n| bound.declaration(n)).collect(),
            parents: vec![0; bound.processes],
            devices: (0..bound.processes).flat_map(everywhere).collect(),
            merged: if bound.pages > 1 {
                vec![(0, 1)]
            } else {
                vec![]
            },
            slots: (bound.places() > 2).then_some(4),
        }
    }
}

/// The names of the files: four cells each.
pub(super) const FILES: [&str; 4] = ["f", "g", "h", "k"];

/// The declarations of a test: pages, a file if transfers need it, the pipes that somebody uses.
pub(super) fn declarations(
    bound: &Bound,
    layout: &Layout,
    landed: &[u8],
    pipes: &[&str],
) -> String {
    let mut text = String::new();
    for page in &layout.pages {
        let _ = writeln!(text, "    {page}");
    }
    for (n, values) in landed.chunks(4).enumerate() {
        let values: Vec<String> = values.iter().map(u8::to_string).collect();
        let name = FILES[n.min(FILES.len() - 1)];
        let _ = writeln!(
            text,
            "    file {name} on {} = {{ {} }};",
            bound.files,
            values.join(", ")
        );
    }
    for pipe in pipes {
        let _ = writeln!(text, "    pipe {pipe};");
    }
    let slots = match layout.slots {
        Some(slots) if bound.swap != "none" => format!(" slots {slots}"),
        _ => String::new(),
    };
    let _ = writeln!(text, "    swap {}{slots};", bound.swap);
    text
}

/// Counts what the model has little room for.
#[derive(Default)]
struct Room {
    transfers: usize,
    holders: usize,
}

/// The test that holds the menu.
pub fn menu_text(bound: &Bound, layout: &Layout) -> String {
    let mut room = Room::default();
    let menus: Vec<Vec<String>> = (0..bound.processes)
        .map(|process| thread_menu(bound, layout, process, &mut room))
        .collect();
    let kernel = kernel_menu(bound, layout);
    let landed = [0; cowherd_mm::MAX_IOS];
    let pipes: &[&str] = match (bound.allows("vmsplice"), bound.allows("tee")) {
        (true, true) => &["p", "q"],
        (true, false) => &["p"],
        (false, _) => &[],
    };
    let declared = declarations(bound, layout, &landed, pipes);
    let mut text = format!("MM menu\n{{\n{declared}}}\n");
    let first = with_children(layout, &menus, 0);
    let _ = writeln!(text, "P0 in A {{\n{first}}}");
    if !kernel.is_empty() {
        let _ = writeln!(text, "kernel {{\n    {}\n}}", kernel.join("\n    "));
    }
    text.push_str("exists (violates)\n");
    text
}

/// What madvise is called with, for which word; first what makes a page go.
const ADVICE: &[(&str, &str)] = &[
    ("dontneed", "MADV_DONTNEED"),
    ("free", "MADV_FREE"),
    ("pageout", "MADV_PAGEOUT"),
    ("willneed", "MADV_WILLNEED"),
    ("cold", "MADV_COLD"),
    ("populate", "MADV_POPULATE_READ"),
    ("populate", "MADV_POPULATE_WRITE"),
    ("dontfork", "MADV_DONTFORK"),
    ("dontfork", "MADV_DOFORK"),
    ("wipeonfork", "MADV_WIPEONFORK"),
    ("wipeonfork", "MADV_KEEPONFORK"),
    ("unmergeable", "MADV_UNMERGEABLE"),
];

/// The menu of a process, and the forks of its children, each with the child's. Nothing stands behind an exit.
fn with_children(layout: &Layout, menus: &[Vec<String>], process: usize) -> String {
    let mut text = String::new();
    let (exits, calls): (Vec<_>, Vec<_>) = menus[process].iter().partition(|call| *call == EXIT);
    calls.iter().for_each(|call| text += &format!("{call}\n"));
    for child in (1..menus.len()).filter(|&child| layout.parents[child] == process) {
        let name = Bound::process(child);
        let theirs = with_children(layout, menus, child);
        text += &format!("fork({name}) {{\n{theirs}}}\n");
    }
    exits.iter().for_each(|call| text += &format!("{call}\n"));
    text
}

const EXIT: &str = "exit();";

fn thread_menu(bound: &Bound, layout: &Layout, process: usize, room: &mut Room) -> Vec<String> {
    let mut menu = Vec::new();
    let mut handles = 0;
    for n in 0..bound.places() {
        let page = Bound::page(n);
        let device = layout.devices.contains(&(process, n));
        let mut add = |word: &str, text: String| {
            if bound.allows(word) {
                menu.push(text);
            }
        };
        for cell in 0..bound.cells {
            add("load", format!("r0 = {page}[{cell}];"));
        }
        for cell in 0..bound.cells {
            add("store", format!("{page}[{cell}] = 0;"));
        }
        // What was moved to the empty place is stored to, and goes; that is all.
        let hole = n == bound.pages;
        for (word, advice) in &ADVICE[..if hole { 3 } else { ADVICE.len() }] {
            add(word, format!("madvise({page}, {advice});"));
        }
        if hole {
            // It is registered in one mode only.
            if bound.registered(hole) == Some("wp") {
                add("uffd_wp", format!("uffd_unprotect({page});"));
            }
            add("uffd_copy", format!("uffd_copy({page}, 0);"));
            add("uffd_copy", format!("uffd_zeropage({page});"));
            continue;
        }
        add("mprotect", format!("mprotect({page}, PROT_READ);"));
        add(
            "mprotect",
            format!("mprotect({page}, PROT_READ, PROT_WRITE);"),
        );
        add("mem_write", format!("mem_write({page}[0], 0);"));
        let others = if device {
            process + 1..bound.processes
        } else {
            0..0
        };
        for child in others.map(Bound::process) {
            add("mem_of", format!("mem_write({child}:{page}[0], 0);"));
            add("mem_of", format!("r0 = mem_read({child}:{page}[0]);"));
            add("vm_of", format!("process_vm_writev({child}:{page}[0], 0);"));
            add(
                "vm_of",
                format!("r0 = process_vm_readv({child}:{page}[0]);"),
            );
        }
        add("uffd_wp", format!("uffd_writeprotect({page});"));
        add("uffd_wp", format!("uffd_unprotect({page});"));
        add("uffd_rwp", format!("uffd_rwprotect({page});"));
        add("uffd_rwp", format!("uffd_unprotect({page});"));
        add("move_pages", format!("move_pages({page});"));
        if n == 0 {
            let hole = Bound::page(bound.pages);
            add("mremap", format!("mremap({page}, {hole});"));
            add("uffd_move", format!("uffd_move({hole}, {page});"));
        }
        add("vmsplice", format!("vmsplice(p, {page});"));
        for call in ["pread", "pwrite"] {
            if bound.allows(call) && device && room.transfers < cowherd_mm::MAX_IOS {
                let (file, cell) = (FILES[room.transfers / 4], room.transfers % 4);
                menu.push(format!("{call}({file}[{cell}], {page}[0], O_DIRECT);"));
                room.transfers += 1;
            }
        }
        for (word, text) in [
            ("pin", format!("pin({page}, FOLL_WRITE, FOLL_LONGTERM);")),
            ("pin-ro", format!("pin({page}, FOLL_LONGTERM);")),
            ("get", format!("get({page}, FOLL_WRITE);")),
        ] {
            if bound.allows(word) && device && room.holders < cowherd_mm::MAX_HOLDS {
                menu.push(format!("h{handles} = {text}"));
                if word != "pin-ro" {
                    menu.push(format!("h{handles}[0] = 0;"));
                }
                menu.push(format!("release(h{handles});"));
                handles += 1;
                room.holders += 1;
            }
        }
        if bound.allows("munmap") {
            menu.push(format!("munmap({page});"));
        }
    }
    if bound.allows("vmsplice") {
        menu.push("r0 = read(p);".into());
        if bound.allows("tee") {
            menu.push("tee(p, q);".into());
            menu.push("r0 = read(q);".into());
        }
    }
    if bound.allows("exit") && process > 0 {
        menu.push(EXIT.into());
    }
    menu
}

fn kernel_menu(bound: &Bound, layout: &Layout) -> Vec<String> {
    let mut menu = Vec::new();
    let mut add = |word: &str, text: String| {
        if bound.allows(word) {
            menu.push(text);
        }
    };
    for process in (0..bound.processes).map(Bound::process) {
        for page in (0..bound.places()).map(Bound::page) {
            add("reclaim", format!("reclaim({process}:{page});"));
            add("migrate", format!("migrate({process}:{page});"));
            add("numa_scan", format!("numa_scan({process}:{page});"));
        }
        add("clear_refs", format!("clear_refs({process});"));
    }
    for &(one, other) in &layout.merged {
        let (one, other) = (Bound::page(one), Bound::page(other));
        add("ksm", format!("ksm({one}, {other});"));
    }
    add("swapoff", "swapoff();".into());
    menu
}

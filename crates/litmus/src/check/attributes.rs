//! The attributes of a variable, and which of them go together.

use super::init::unknown_word;
use super::scope::Scope;
use crate::Span;
use crate::ast::{Attributes, Contents, Ksm, PageId, ProcessId, Uffd, UffdMode, family, root};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::syntax::{Name, RawAttribute};

const WORDS: [&str; 19] = [
    "clean",
    "dirty",
    "readonly",
    "wrprotected",
    "nonexclusive",
    "batch",
    "swapped",
    "cached",
    "writeback",
    "shared",
    "ksm",
    "lazy",
    "protnone",
    "tracked",
    "crowded",
    "uffd",
    "mapped",
    "zero",
    "in",
];

/// Pairs that cannot be true of one page, and why.
const CONTRADICTIONS: [(&str, &str, &str); 18] = [
    ("clean", "dirty", "a PTE is one or the other"),
    ("lazy", "dirty", "MADV_FREE leaves the PTE clean"),
    ("lazy", "batch", "a lazily freed page has left the batch"),
    (
        "lazy",
        "cached",
        "MADV_FREE takes the page out of the swap cache",
    ),
    ("lazy", "ksm", "a KSM page is never freed lazily"),
    ("lazy", "swapped", "MADV_FREE drops a swapped page at once"),
    ("ksm", "dirty", "a KSM page is mapped clean"),
    (
        "ksm",
        "nonexclusive",
        "a KSM page is never exclusive anyway",
    ),
    (
        "ksm",
        "swapped",
        "a swapped page is no KSM page; write `swapped, shared(...)`",
    ),
    ("ksm", "batch", "a KSM page is on the LRU"),
    (
        "swapped",
        "clean",
        "a swap entry is neither clean nor dirty",
    ),
    (
        "swapped",
        "dirty",
        "a swap entry is neither clean nor dirty",
    ),
    (
        "swapped",
        "wrprotected",
        "a swap entry has no write permission to take away",
    ),
    ("swapped", "protnone", "a swap entry is no hinting entry"),
    ("swapped", "zero", "the zero page is never swapped"),
    (
        "swapped",
        "crowded",
        "nobody can refer to a page that is nowhere",
    ),
    ("zero", "dirty", "the zero page is mapped clean"),
    (
        "mapped",
        "nonexclusive",
        "a page cache page is never exclusive anyway",
    ),
];

/// Which attributes fit which contents. `readonly`, `in`, `uffd` and `tracked` fit all.
fn fits(contents: &Contents, word: &str) -> bool {
    match word {
        "readonly" | "in" | "uffd" | "tracked" => true,
        "zero" => matches!(contents, Contents::Untouched | Contents::Zero),
        "mapped" => matches!(contents, Contents::File { .. }),
        "clean" => !matches!(contents, Contents::Untouched),
        "dirty" | "shared" => matches!(
            contents,
            Contents::Values(_) | Contents::File { mapped: true, .. }
        ),
        _ => matches!(contents, Contents::Values(_)),
    }
}

/// Reads the attributes of a declaration into its page.
pub(super) fn apply<'t>(scope: &mut Scope<'t>, page: PageId, raw: &[RawAttribute<'t>]) {
    let mut places = Vec::new();
    let mut attributes = Attributes::default();
    let mut sharers = None;
    let mut contents = scope.pages[page.index()].contents.clone();
    // These two say what is there, which the others are held against.
    for attribute in raw {
        match (attribute.word.text, &mut contents) {
            ("zero", contents @ Contents::Untouched) => *contents = Contents::Zero,
            ("mapped", Contents::File { mapped, .. }) => *mapped = true,
            _ => {}
        }
    }
    let mut seen: Vec<Name<'t>> = Vec::new();
    for attribute in raw {
        let word = attribute.word;
        if !WORDS.contains(&word.text) {
            scope.report(unknown_word(word, "attribute", WORDS));
            continue;
        }
        if !accepts(scope, attribute, &seen, &contents) {
            continue;
        }
        seen.push(word);
        match word.text {
            "in" => places.extend(
                attribute
                    .arguments
                    .iter()
                    .filter_map(|name| place(scope, *name)),
            ),
            "shared" => sharers = Some(attribute),
            _ => set(scope, &mut attributes, page, attribute),
        }
    }
    let (owner, processes) = whereabouts(scope, &places, sharers);
    if let Some(sharers) = sharers {
        attributes.shared = shared(scope, sharers, owner, &processes, attributes.ksm.is_some());
    }
    let needs_cache = (attributes.writeback || (attributes.swapped && attributes.batch.is_some()))
        && !attributes.cached;
    if needs_cache {
        let word = if attributes.writeback {
            "writeback"
        } else {
            "batch"
        };
        let span = seen
            .iter()
            .find(|name| name.text == word)
            .map_or(Span::default(), |name| name.span);
        scope.report(
            Diagnostic::new(
                Code::Contradiction,
                span,
                format!("`{word}` needs `cached` here"),
            )
            .label("only a page in the swap cache can be so"),
        );
    }
    attributes.dirty = match seen
        .iter()
        .find(|word| matches!(word.text, "clean" | "dirty"))
    {
        Some(word) => word.text == "dirty",
        None => attributes.dirty_by_default(&contents),
    };
    let init = &mut scope.pages[page.index()];
    init.contents = contents;
    init.attributes = attributes;
    init.owner = owner;
    init.processes = processes;
}

/// Complains about an attribute that stands twice, does not fit the contents or contradicts an earlier one.
fn accepts<'t>(
    scope: &mut Scope<'t>,
    attribute: &RawAttribute<'t>,
    seen: &[Name<'t>],
    contents: &Contents,
) -> bool {
    let word = attribute.word;
    if let Some(first) = seen
        .iter()
        .find(|s| s.text == word.text && word.text != "in")
    {
        scope.report(
            Diagnostic::new(
                Code::Twice,
                word.span,
                format!("`{}` stands twice", word.text),
            )
            .note(first.span, "first here"),
        );
        return false;
    }
    if !fits(contents, word.text) {
        let (what, help) = match contents {
            Contents::Untouched => (
                "a variable that nothing has touched",
                Some("give it values, as in `= { 1, 2 }`"),
            ),
            Contents::Zero => ("a variable that maps the zero page", None),
            Contents::Values(_) => ("an anonymous page", None),
            Contents::File { mapped: true, .. } => ("a mapped page cache page", None),
            Contents::File { mapped: false, .. } => {
                ("a mapping that nothing has touched", Some("add `mapped`"))
            }
        };
        scope.report(
            Diagnostic::new(
                Code::Contradiction,
                attribute.span,
                format!("`{}` says nothing about {what}", word.text),
            )
            .maybe_help(help.map(str::to_owned)),
        );
        return false;
    }
    for (a, b, why) in CONTRADICTIONS {
        let other = match word.text {
            text if text == a => b,
            text if text == b => a,
            _ => continue,
        };
        if let Some(first) = seen.iter().find(|s| s.text == other) {
            scope.report(
                Diagnostic::new(
                    Code::Contradiction,
                    word.span,
                    format!("a page cannot be `{}` and `{}`", first.text, word.text),
                )
                .label(why)
                .note(first.span, format!("`{}` stands here", first.text)),
            );
            return false;
        }
    }
    arguments_fit(scope, attribute)
}

fn arguments_fit<'t>(scope: &mut Scope<'t>, attribute: &RawAttribute<'t>) -> bool {
    let (least, most, example) = match attribute.word.text {
        "batch" => (1, 1, "batch(P0)"),
        "shared" => (2, usize::MAX, "shared(A, B)"),
        "uffd" => (1, 2, "uffd(wp)` or `uffd(wp, protected)"),
        "in" => (1, 1, "in B"),
        "ksm" => (0, 1, "ksm with y"),
        word => (0, 0, word),
    };
    let count = attribute.arguments.len();
    let wrong_ksm = attribute.word.text == "ksm" && count == 1 && attribute.span.end > 0 && {
        // `ksm(y)` has a name in parentheses where `with` belongs.
        attribute.arguments[0].span.start == attribute.word.span.end + 1
    };
    if (least..=most).contains(&count) && !wrong_ksm {
        return true;
    }
    scope.report(
        Diagnostic::new(
            Code::Arguments,
            attribute.span,
            format!("`{}` is written otherwise", attribute.word.text),
        )
        .label(format!("write `{example}`")),
    );
    false
}

/// An attribute that concerns the page or VMA alone.
fn set<'t>(
    scope: &mut Scope<'t>,
    attributes: &mut Attributes,
    page: PageId,
    raw: &RawAttribute<'t>,
) {
    match raw.word.text {
        "readonly" => attributes.readonly = true,
        "wrprotected" => attributes.wrprotected = true,
        "nonexclusive" => attributes.nonexclusive = true,
        "swapped" => attributes.swapped = true,
        "cached" => attributes.cached = true,
        "writeback" => attributes.writeback = true,
        "lazy" => attributes.lazy = true,
        "protnone" => attributes.protnone = true,
        "tracked" => attributes.tracked = true,
        "crowded" => attributes.crowded = true,
        "batch" => attributes.batch = scope.thread(raw.arguments[0]),
        "uffd" => attributes.uffd = uffd(scope, page, &raw.arguments),
        "ksm" => {
            let mut with = Vec::new();
            if let Some(name) = raw.arguments.first() {
                with.extend(
                    scope
                        .page(*name)
                        .filter(|other| ksm_partner(scope, page, *other, *name)),
                );
            }
            attributes.ksm = Some(Ksm { with });
        }
        _ => {}
    }
}

/// Can `other` map the same KSM page as `page`?
fn ksm_partner<'t>(scope: &mut Scope<'t>, page: PageId, other: PageId, name: Name<'t>) -> bool {
    let (this, that) = (&scope.pages[page.index()], &scope.pages[other.index()]);
    if page != other && this.contents == that.contents {
        return true;
    }
    let label = if page == other {
        "that is the variable itself"
    } else {
        "the values differ"
    };
    let diagnostic = Diagnostic::new(
        Code::Contradiction,
        name.span,
        format!(
            "`{}` and `{}` cannot map one KSM page",
            this.name, that.name
        ),
    )
    .label(label)
    .note(that.span, "declared here")
    .help("both need the same values");
    scope.report(diagnostic);
    false
}

fn uffd<'t>(scope: &mut Scope<'t>, page: PageId, arguments: &[Name<'t>]) -> Option<Uffd> {
    let word = arguments[0];
    let Some(mode) = UffdMode::from_word(word.text) else {
        let words = UffdMode::ALL.iter().map(|w| w.word());
        return scope.none(unknown_word(word, "mode of userfaultfd", words));
    };
    let is_file = matches!(scope.pages[page.index()].contents, Contents::File { .. });
    if mode == UffdMode::Minor && !is_file {
        scope.report(
            Diagnostic::new(
                Code::Contradiction,
                word.span,
                "an anonymous page has no minor faults",
            )
            .label("for `private` variables only"),
        );
    }
    let mut protected = false;
    if let Some(second) = arguments.get(1) {
        if second.text != "protected" {
            scope.report(unknown_word(*second, "word after the mode", ["protected"]));
        } else if !matches!(mode, UffdMode::Wp | UffdMode::Rwp) {
            scope.report(
                Diagnostic::new(
                    Code::Contradiction,
                    second.span,
                    format!("mode `{mode}` protects nothing"),
                )
                .label("only with `wp` and `rwp`"),
            );
        } else {
            protected = true;
        }
    }
    Some(Uffd { mode, protected })
}

/// A process that is there at the start.
fn place<'t>(scope: &mut Scope<'t>, name: Name<'t>) -> Option<ProcessId> {
    let process = scope.process(name)?;
    let known = &scope.processes[process.index()];
    if known.from_start {
        return Some(process);
    }
    let diagnostic = Diagnostic::new(
        Code::Process,
        name.span,
        format!("process `{}` does not exist at the start", name.text),
    )
    .note(known.span, "it is forked here")
    .help("a forked process has the variables of its parent");
    scope.none(diagnostic)
}

/// Whose the page is, and who has the VMA.
fn whereabouts<'t>(
    scope: &Scope<'t>,
    places: &[ProcessId],
    sharers: Option<&RawAttribute<'t>>,
) -> (ProcessId, Vec<ProcessId>) {
    let first_sharer = sharers.and_then(|s| scope.find_process(s.arguments[0].text));
    let owner = places
        .first()
        .copied()
        .or(first_sharer)
        .unwrap_or(ProcessId(0));
    let mut processes = places.to_vec();
    if processes.is_empty() {
        processes = family(&scope.processes, owner);
        if !processes.contains(&owner) {
            processes.push(owner);
        }
    }
    processes.sort();
    processes.dedup();
    (owner, processes)
}

fn shared<'t>(
    scope: &mut Scope<'t>,
    raw: &RawAttribute<'t>,
    owner: ProcessId,
    processes: &[ProcessId],
    is_ksm: bool,
) -> Vec<ProcessId> {
    let owner_name = scope.processes[owner.index()].name.clone();
    if !raw.arguments.iter().any(|name| name.text == owner_name) {
        scope.report(
            Diagnostic::new(
                Code::Contradiction,
                raw.span,
                format!("`{owner_name}` has the page and is not named"),
            )
            .help(format!("name it: `shared({owner_name}, ...)`")),
        );
        return Vec::new();
    }
    let mut sharers = Vec::new();
    for name in &raw.arguments {
        let Some(process) = place(scope, *name) else {
            continue;
        };
        if !processes.contains(&process) {
            scope.report(
                Diagnostic::new(
                    Code::NotInProcess,
                    name.span,
                    format!("process `{}` does not have the variable", name.text),
                )
                .help(format!("add `in {}`", name.text)),
            );
        } else if !is_ksm && root(&scope.processes, process) != root(&scope.processes, owner) {
            let stranger = if process == ProcessId(0) {
                owner_name.as_str()
            } else {
                name.text
            };
            scope.report(
                Diagnostic::new(
                    Code::Contradiction,
                    name.span,
                    format!(
                        "`{owner_name}` and `{}` are of different families",
                        name.text
                    ),
                )
                .label("a page is shared by `fork`, or as a KSM page")
                .help(format!(
                    "declare `process {stranger} = fork(A);`, or add `ksm`"
                )),
            );
        } else if process != owner {
            sharers.push(process);
        }
    }
    sharers.sort();
    sharers.dedup();
    sharers
}

/// Makes `ksm with` mutual: all variables of one KSM page know of each other.
pub(super) fn join_ksm(scope: &mut Scope<'_>) {
    let count = scope.pages.len();
    let mut group: Vec<usize> = (0..count).collect();
    for page in 0..count {
        let with = scope.pages[page]
            .attributes
            .ksm
            .iter()
            .flat_map(|k| k.with.clone());
        for other in with.collect::<Vec<_>>() {
            if scope.pages[other.index()].attributes.ksm.is_none() {
                let (this, that) = (&scope.pages[page], &scope.pages[other.index()]);
                let diagnostic = Diagnostic::new(
                    Code::Contradiction,
                    this.span,
                    format!(
                        "`{}` shares a KSM page with `{}`, which has none",
                        this.name, that.name
                    ),
                )
                .note(that.span, "add `ksm` here");
                scope.report(diagnostic);
            }
            let (from, to) = (group[other.index()], group[page]);
            group
                .iter_mut()
                .filter(|g| **g == from)
                .for_each(|g| *g = to);
        }
    }
    for page in 0..count {
        let others = (0..count).filter(|other| *other != page && group[*other] == group[page]);
        let with: Vec<PageId> = others.map(|other| PageId(other as u8)).collect();
        if let Some(ksm) = &mut scope.pages[page].attributes.ksm {
            ksm.with = with;
        }
    }
}

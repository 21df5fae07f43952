//! Declarations: who and what there is before the first step.

use super::attributes;
use super::scope::{Reach, Scope, Thing, is_register};
use crate::Span;
use crate::ast::{
    Attributes, Contents, Failure, File, FileId, FileSystem, Heat, PageId, PageInit, Pipe, PipeId,
    Process, ProcessId, Start, Swap, SwapDevice, Tlb,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits::{MAX_FILES, MAX_FRAMES, MAX_PAGES, MAX_PIPES, MAX_PROCESSES, MAX_SLOTS};
use crate::parse::syntax::{Decl, DeclKind, Name, Number, SwapWord, Values};
use crate::suggest::did_you_mean;

/// Words that would read as something else.
const RESERVED: [&str; 21] = [
    "anon",
    "private",
    "file",
    "pipe",
    "process",
    "swap",
    "tlb",
    "fail",
    "frames",
    "in",
    "of",
    "on",
    "with",
    "kernel",
    "exists",
    "forall",
    "locations",
    "not",
    "true",
    "false",
    "fork",
];

/// What the declarations give besides names.
#[derive(Default)]
pub(super) struct Environment {
    pub(super) swap: Swap,
    pub(super) tlb: Vec<Tlb>,
    pub(super) failures: Vec<Failure>,
    pub(super) frames: Option<u8>,
}

/// Processes declared to be there from the start, after the default one.
pub(super) fn processes<'t>(scope: &mut Scope<'t>, decls: &[Decl<'t>]) {
    scope.processes.push(Process {
        name: "A".to_owned(),
        parent: None,
        from_start: true,
        span: Span::default(),
    });
    for decl in decls {
        if let DeclKind::Broken { name: Some(name) } = &decl.kind {
            scope.broken.insert(name.text);
        }
        let DeclKind::Process { name, parent } = &decl.kind else {
            continue;
        };
        let parent = match parent {
            Some(parent) => scope.process(*parent),
            None => None,
        };
        if new_process_name(scope, *name) {
            let process = Process {
                name: name.text.to_owned(),
                parent,
                from_start: true,
                span: name.span,
            };
            scope.processes.push(process);
        } else {
            scope.broken.insert(name.text);
        }
    }
}

/// May a process of this name be added?
pub(super) fn new_process_name<'t>(scope: &mut Scope<'t>, name: Name<'t>) -> bool {
    let capital = name.text.starts_with(|c: char| c.is_ascii_uppercase());
    if !capital || crate::parse::is_thread_name(name.text) {
        scope.report(
            Diagnostic::new(
                Code::BadName,
                name.span,
                format!("`{}` cannot name a process", name.text),
            )
            .label("processes are capital names such as `B`; `P0` is a thread"),
        );
        return false;
    }
    if let Some(known) = scope.find_process(name.text) {
        let first = scope.processes[known.index()].span;
        let mut diagnostic = Diagnostic::new(
            Code::Process,
            name.span,
            format!("process `{}` begins twice", name.text),
        );
        if known == ProcessId(0) {
            diagnostic = diagnostic.label("the default process is there from the start");
        } else {
            diagnostic = diagnostic.note(first, "it begins here");
        }
        scope.report(diagnostic.help("give this one another name"));
        return false;
    }
    if scope.processes.len() >= MAX_PROCESSES {
        scope.report(
            Diagnostic::new(Code::Limit, name.span, "too many processes")
                .label(format!("a test has at most {MAX_PROCESSES}")),
        );
        return false;
    }
    true
}

/// Names variables, files and pipes, so that declarations may speak of later ones.
pub(super) fn names<'t>(scope: &mut Scope<'t>, decls: &[Decl<'t>]) {
    let (mut pages, mut files, mut pipes) = (0, 0, 0);
    for decl in decls {
        let (name, thing, limit) = match &decl.kind {
            DeclKind::Page { name, .. } => (name, Thing::Page(PageId(pages)), MAX_PAGES),
            DeclKind::File { name, .. } => (name, Thing::File(FileId(files)), MAX_FILES),
            DeclKind::Pipe { name } => (name, Thing::Pipe(PipeId(pipes)), MAX_PIPES),
            _ => continue,
        };
        if !new_name(scope, *name) {
            continue;
        }
        let count = match thing {
            Thing::Page(_) => &mut pages,
            Thing::File(_) => &mut files,
            Thing::Pipe(_) => &mut pipes,
        };
        if usize::from(*count) >= limit {
            scope.broken.insert(name.text);
            scope.report(
                Diagnostic::new(
                    Code::Limit,
                    name.span,
                    format!("too many {}s", thing.noun()),
                )
                .label(format!("a test has at most {limit}")),
            );
            continue;
        }
        *count += 1;
        scope.things.insert(name.text, (thing, name.span));
    }
}

fn new_name<'t>(scope: &mut Scope<'t>, name: Name<'t>) -> bool {
    let text = name.text;
    if let Some((thing, first)) = scope.things.get(text).copied() {
        scope.report(
            Diagnostic::new(
                Code::Twice,
                name.span,
                format!("the name `{text}` is given twice"),
            )
            .note(first, format!("a {} has it already", thing.noun())),
        );
        return false;
    }
    let why = if is_register(text) {
        "this is the name of a register"
    } else if RESERVED.contains(&text) {
        "this word has a meaning of its own"
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        "names of variables, files and pipes begin with a small letter"
    } else {
        return true;
    };
    scope.broken.insert(text);
    scope
        .none(
            Diagnostic::new(
                Code::BadName,
                name.span,
                format!("`{text}` cannot be declared"),
            )
            .label(why),
        )
        .unwrap_or(false)
}

/// Everything that is declared, in the order of [`names`].
pub(super) fn things<'t>(scope: &mut Scope<'t>, decls: &[Decl<'t>]) {
    // Files first: mappings look at their cells.
    for decl in decls {
        match &decl.kind {
            DeclKind::File {
                name,
                cells,
                on,
                values,
            } if is_first(scope, *name) => {
                let file = file(scope, *name, *cells, *on, values, decl.span);
                scope.files.push(file);
            }
            DeclKind::Pipe { name } if is_first(scope, *name) => {
                scope.pipes.push(Pipe {
                    name: name.text.to_owned(),
                    span: decl.span,
                });
            }
            _ => {}
        }
    }
    for decl in decls {
        if let DeclKind::Page {
            name,
            cells,
            of,
            values,
            ..
        } = &decl.kind
            && is_first(scope, *name)
        {
            let page = page(scope, *name, *cells, *of, values.as_ref(), decl.span);
            scope.pages.push(page);
        }
    }
    for decl in decls {
        if let DeclKind::Page {
            name, attributes, ..
        } = &decl.kind
            && let (true, Some(Thing::Page(page))) = (
                is_first(scope, *name),
                scope.things.get(name.text).map(|(thing, _)| *thing),
            )
        {
            attributes::apply(scope, page, attributes);
        }
    }
    attributes::join_ksm(scope);
}

/// Is this the declaration that gave the name?
fn is_first(scope: &Scope<'_>, name: Name<'_>) -> bool {
    scope
        .things
        .get(name.text)
        .is_some_and(|(_, span)| span.start == name.span.start)
}

/// Declared values, one for each of the declared cells.
fn values_for<'t>(
    scope: &mut Scope<'t>,
    name: Name<'t>,
    cells: Option<u8>,
    values: &Values,
) -> (u8, Vec<u8>) {
    let mut given: Vec<u8> = values
        .numbers
        .iter()
        .map(|n| scope.value(*n).unwrap_or_default())
        .collect();
    let max = usize::from(crate::limits::MAX_CELLS);
    if cells.is_none() && given.len() > max {
        scope.report(
            Diagnostic::new(Code::Limit, values.span, "too many cells")
                .label(format!("a page has at most {max}")),
        );
    } else if let Some(cells) = cells.filter(|cells| usize::from(*cells) != given.len()) {
        scope.report(
            Diagnostic::new(
                Code::Values,
                values.span,
                format!(
                    "`{}` has {cells} cells and is given {} values",
                    name.text,
                    given.len()
                ),
            )
            .label("one value for each cell"),
        );
    }
    let cells = cells.unwrap_or(given.len().clamp(1, max) as u8);
    given.resize(usize::from(cells), 0);
    (cells, given)
}

fn file<'t>(
    scope: &mut Scope<'t>,
    name: Name<'t>,
    cells: Option<Number>,
    on: Option<Name<'t>>,
    values: &Values,
    span: Span,
) -> File {
    let cells = cells.map(|number| scope.cells(number).unwrap_or(1));
    let (_, values) = values_for(scope, name, cells, values);
    let on = on.and_then(|word| {
        FileSystem::from_word(word.text).or_else(|| {
            let words = FileSystem::ALL.iter().map(|w| w.word());
            scope.none(unknown_word(word, "file system", words))
        })
    });
    File {
        name: name.text.to_owned(),
        on: on.unwrap_or(FileSystem::Block),
        values,
        span,
    }
}

fn page<'t>(
    scope: &mut Scope<'t>,
    name: Name<'t>,
    cells: Option<Number>,
    of: Option<Name<'t>>,
    values: Option<&Values>,
    span: Span,
) -> PageInit {
    let declared = cells.map(|number| scope.cells(number).unwrap_or(1));
    let (cells, contents) = if let Some(of) = of {
        let file = scope.file(of);
        let in_file = file.map(|file| scope.files[file.index()].values.len() as u8);
        if let (Some(declared), Some(in_file)) = (declared, in_file)
            && declared > in_file
        {
            scope.report(
                Diagnostic::new(
                    Code::Values,
                    name.span,
                    format!(
                        "`{}` has {declared} cells and the file `{}` {in_file}",
                        name.text, of.text
                    ),
                )
                .label("a mapping has at most the cells of its file"),
            );
        }
        let contents = match file {
            Some(file) => Contents::File {
                file,
                mapped: false,
            },
            None => Contents::Untouched,
        };
        (declared.or(in_file).unwrap_or(1), contents)
    } else if let Some(values) = values {
        let (cells, values) = values_for(scope, name, declared, values);
        (cells, Contents::Values(values))
    } else {
        (declared.unwrap_or(1), Contents::Untouched)
    };
    PageInit {
        name: name.text.to_owned(),
        cells,
        contents,
        owner: ProcessId(0),
        processes: vec![ProcessId(0)],
        attributes: Attributes::default(),
        span,
        name_span: name.span,
    }
}

/// `swap`, `tlb`, `fail`, `frames`.
pub(super) fn environment<'t>(scope: &mut Scope<'t>, decls: &[Decl<'t>]) -> Environment {
    let mut environment = Environment::default();
    let mut first_swap = None;
    let mut first_frames = None;
    for decl in decls {
        match &decl.kind {
            DeclKind::Swap { words } => {
                once(scope, &mut first_swap, decl.span, "swap");
                environment.swap = swap(scope, words, decl.span);
            }
            DeclKind::Frames { number } => {
                once(scope, &mut first_frames, decl.span, "frames");
                environment.frames =
                    scope.bounded(*number, 1, MAX_FRAMES, Code::Limit, "the number of frames");
            }
            DeclKind::Fail { words } => {
                for word in words {
                    match Failure::from_word(word.text) {
                        Some(failure) => environment.failures.push(failure),
                        None => {
                            let words = Failure::ALL.iter().map(|w| w.word());
                            scope.report(unknown_word(*word, "failure", words));
                        }
                    }
                }
            }
            DeclKind::Tlb {
                heat,
                thread,
                pages,
            } => {
                if let Some(tlb) = tlb(scope, *heat, *thread, pages, decl.span) {
                    environment.tlb.push(tlb);
                }
            }
            _ => {}
        }
    }
    environment.failures.sort();
    environment.failures.dedup();
    check_slots(scope, environment.swap);
    environment
}

fn once(scope: &mut Scope<'_>, first: &mut Option<Span>, span: Span, what: &str) {
    if let Some(first) = first {
        scope.report(
            Diagnostic::new(Code::Twice, span, format!("`{what}` is declared twice"))
                .note(*first, "first declared here"),
        );
    } else {
        *first = Some(span);
    }
}

fn swap<'t>(scope: &mut Scope<'t>, words: &[SwapWord<'t>], span: Span) -> Swap {
    let mut swap = Swap {
        span,
        ..Swap::default()
    };
    let mut device: Option<Name<'t>> = None;
    let mut details: Option<Name<'t>> = None;
    for SwapWord { word, number } in words {
        let kind = match word.text {
            "async" => Some(SwapDevice::Async),
            "sync" => Some(SwapDevice::Sync),
            "none" => Some(SwapDevice::None),
            _ => None,
        };
        match (kind, word.text) {
            (Some(kind), _) => {
                if let Some(first) = device {
                    scope.report(
                        Diagnostic::new(
                            Code::Contradiction,
                            word.span,
                            format!("the swap device is `{}` and `{}`", first.text, word.text),
                        )
                        .note(first.span, "said here"),
                    );
                }
                swap.device = kind;
                device = Some(*word);
            }
            (None, "stable") => {
                swap.stable = true;
                details = Some(*word);
            }
            (None, "half_full") => {
                swap.half_full = true;
                details = Some(*word);
            }
            (None, "slots") => {
                let slots = number.and_then(|number| {
                    scope.bounded(number, 1, MAX_SLOTS, Code::Limit, "the number of slots")
                });
                swap.slots = slots.unwrap_or(swap.slots);
                details = Some(*word);
            }
            _ => {
                let words = ["async", "sync", "none", "stable", "half_full", "slots"];
                scope.report(unknown_word(*word, "property of a swap device", words));
            }
        }
    }
    if let (SwapDevice::None, Some(detail)) = (swap.device, details) {
        scope.report(
            Diagnostic::new(
                Code::Contradiction,
                detail.span,
                "no swap device, and it has properties",
            )
            .label(format!("`{}` says nothing about `none`", detail.text)),
        );
    }
    if swap.device == SwapDevice::None {
        swap.slots = 0;
        swap.stable = false;
        swap.half_full = false;
    }
    swap
}

/// Pages that have a slot at the start need slots.
fn check_slots(scope: &mut Scope<'_>, swap: Swap) {
    let taken = scope
        .pages
        .iter()
        .filter(|p| p.attributes.swapped || p.attributes.cached);
    let spans: Vec<Span> = taken.map(|page| page.span).collect();
    let Some(last) = spans.get(usize::from(swap.slots)) else {
        return;
    };
    let message = match swap.slots {
        0 => "the page has a swap slot, and there is no swap device".to_owned(),
        slots => format!("more pages have a swap slot than the {slots} that there are"),
    };
    let mut diagnostic = Diagnostic::new(Code::Contradiction, *last, message);
    if swap.span.end > 0 {
        diagnostic = diagnostic.note(swap.span, "the swap device");
    }
    scope.report(diagnostic.help("as in `swap async slots 4;`"));
}

fn tlb<'t>(
    scope: &mut Scope<'t>,
    heat: Heat,
    thread: Option<Name<'t>>,
    names: &[Name<'t>],
    span: Span,
) -> Option<Tlb> {
    let id = match thread {
        Some(name) => Some(scope.thread(name)?),
        None => None,
    };
    let mut pages = Vec::new();
    if let (Some(id), Some(name)) = (id, thread) {
        let head = scope.threads[id.index()].clone();
        if head.start != Start::AtOnce {
            return scope.none(
                Diagnostic::new(
                    Code::Contradiction,
                    name.span,
                    format!(
                        "`{}` does not run at the start, so its CPU has nothing cached",
                        name.text
                    ),
                )
                .note(head.span, "it starts with its process"),
            );
        }
        for name in names {
            let page = scope.page(*name)?;
            scope.must_have(head.process, page, name.span, Reach::Own)?;
            pages.push(page);
        }
    }
    Some(Tlb {
        heat,
        thread: id,
        pages,
        span,
    })
}

/// A word that is not one of `words`.
pub(super) fn unknown_word<'w>(
    word: Name<'_>,
    what: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Diagnostic {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    Diagnostic::new(
        Code::UnknownWord,
        word.span,
        format!("`{}` is not {article} {what}", word.text),
    )
    .maybe_help(did_you_mean(word.text, what, words))
}

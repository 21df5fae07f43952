//! The calls of threads: what each takes and gives.

use super::args::{Args, file_place};
use super::init::unknown_word;
use super::scope::Scope;
use super::stmts::{ThreadScope, new_handle, result_register};
use super::threads::Programs;
use crate::Span;
use crate::ast::{Advice, Call, Contents, Foll, HandleKind, Mode, PageId, Prot, Reg, UffdMode};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::syntax::{RawCall, RawPlace};
use crate::reference::{ACTIVITIES, CALLS};
use crate::suggest::did_you_mean;

/// A call and the register for its result.
pub(super) fn call<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    programs: &Programs<'_, 't>,
    target: Option<&RawPlace<'t>>,
    raw: &RawCall<'t>,
    span: Span,
) -> Option<(Option<Reg>, Call)> {
    let name = raw.name.text;
    let Some((_, usage)) = CALLS.iter().find(|(call, _)| *call == name) else {
        return scope.none(unknown_call(raw));
    };
    if let (Some(body), false) = (&raw.body, name == "fork") {
        return scope.none(
            Diagnostic::new(Code::Arguments, body.span, format!("`{name}` has no block"))
                .label("only `fork` has one"),
        );
    }
    let mut args = Args::new(raw, usage);
    let call = match name {
        "read_submit" | "write_submit" | "register_buffer" | "get" | "pin" => {
            return holding(scope, thread, target, raw, &mut args).map(|call| (None, call));
        }
        "exit" if target.is_some() => {
            return scope.none(
                Diagnostic::new(Code::Result, raw.span, "`exit` never returns")
                    .label("so it has no result")
                    .help("write `exit();`"),
            );
        }
        "fork" => fork(scope, programs, raw, &mut args),
        "wait" | "unregister" | "release" | "read_fixed" | "write_fixed" => {
            held(scope, thread, name, &mut args, span)
        }
        "uffd_writeprotect" | "uffd_unprotect" | "uffd_rwprotect" | "uffd_copy"
        | "uffd_zeropage" | "uffd_continue" => userfaultfd(scope, thread, raw, &mut args),
        "mremap" | "uffd_move" => moving(scope, thread, name, &mut args),
        _ => simple(scope, thread, name, &mut args),
    };
    let call = call.filter(|_| args.finish(scope).is_some());
    let result = result_register(scope, target);
    Some((result?, call?))
}

fn unknown_call(raw: &RawCall<'_>) -> Diagnostic {
    let name = raw.name.text;
    let diagnostic = Diagnostic::new(
        Code::UnknownCall,
        raw.name.span,
        format!("there is no call `{name}`"),
    );
    if let Some((_, usage)) = ACTIVITIES.iter().find(|(activity, _)| *activity == name) {
        return diagnostic
            .label("the kernel does this")
            .help(format!("write `kernel {{ {usage} }}`"));
    }
    let near = crate::suggest::nearest(name, CALLS.iter().map(|(call, _)| *call));
    let usage = near.and_then(|near| CALLS.iter().find(|(call, _)| *call == near));
    diagnostic
        .label("not a call of the language")
        .maybe_help(usage.map(|(near, usage)| format!("did you mean `{near}`, as in `{usage}`?")))
}

fn fork<'t>(
    scope: &mut Scope<'t>,
    programs: &Programs<'_, 't>,
    raw: &RawCall<'t>,
    args: &mut Args<'_, 't>,
) -> Option<Call> {
    args.bare(scope, "the name of the child")?;
    // Where the name was refused, that was reported when the threads were collected.
    let (child, thread) = programs.forked.get(&raw.span.start)?;
    Some(Call::Fork {
        child: *child,
        thread: *thread,
    })
}

/// Calls that give a handle.
fn holding<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    target: Option<&RawPlace<'t>>,
    raw: &RawCall<'t>,
    args: &mut Args<'_, 't>,
) -> Option<Call> {
    let name = raw.name.text;
    match name {
        "read_submit" | "write_submit" => {
            let file = args.file(scope)?;
            let mut place = args.transfer(scope, thread)?;
            let (file, cells) = file_place(scope, &file, place.page, place.cells)?;
            place.cells = cells;
            args.finish(scope)?;
            let handle = new_handle(scope, thread, target, HandleKind::Io, place.page)?;
            Some(match name {
                "read_submit" => Call::ReadSubmit {
                    handle,
                    file,
                    place,
                },
                _ => Call::WriteSubmit {
                    handle,
                    file,
                    place,
                },
            })
        }
        "register_buffer" => {
            let page = args.page(scope, thread)?;
            args.finish(scope)?;
            let handle = new_handle(scope, thread, target, HandleKind::Buffer, page)?;
            Some(Call::RegisterBuffer { handle, page })
        }
        _ => {
            let page = args.page(scope, thread)?;
            let mut flags = Vec::new();
            while args.more() {
                flags.push(foll(scope, name, args)?);
            }
            flags.sort();
            flags.dedup();
            let handle = new_handle(scope, thread, target, HandleKind::Holder, page)?;
            Some(match name {
                "get" => Call::Get {
                    handle,
                    page,
                    flags,
                },
                _ => Call::Pin {
                    handle,
                    page,
                    flags,
                },
            })
        }
    }
}

fn foll<'t>(scope: &mut Scope<'t>, name: &str, args: &mut Args<'_, 't>) -> Option<Foll> {
    let word = args.bare(scope, "a flag")?;
    match Foll::from_word(word.text) {
        Some(Foll::LongTerm) if name == "get" => scope.none(
            Diagnostic::new(Code::Arguments, word.span, "only a pin may be long-term")
                .help("write `pin` in place of `get`"),
        ),
        Some(flag) => Some(flag),
        None => {
            let said = matches!(word.text, "FOLL_GET" | "FOLL_PIN");
            let diagnostic = unknown_word(word, "flag", Foll::ALL.iter().map(|w| w.word()));
            let help = said.then(|| "`get` and `pin` say so themselves".to_owned());
            scope.none(diagnostic.maybe_help(help))
        }
    }
}

/// Calls that work on a handle.
fn held<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    name: &str,
    args: &mut Args<'_, 't>,
    span: Span,
) -> Option<Call> {
    if name == "read_fixed" || name == "write_fixed" {
        let file = args.file(scope)?;
        let (buffer, page, cells) = args.buffer(scope, thread)?;
        let (file, cells) = file_place(scope, &file, page, cells)?;
        return Some(match name {
            "read_fixed" => Call::ReadFixed {
                file,
                buffer,
                cells,
            },
            _ => Call::WriteFixed {
                file,
                buffer,
                cells,
            },
        });
    }
    let kind = match name {
        "wait" => HandleKind::Io,
        "unregister" => HandleKind::Buffer,
        _ => HandleKind::Holder,
    };
    let handle = args.handle(scope, thread, kind)?;
    thread.end_handle(handle, span);
    Some(match name {
        "wait" => Call::Wait { handle },
        "unregister" => Call::Unregister { buffer: handle },
        _ => Call::Release { handle },
    })
}

/// Calls of userfaultfd on one page, which must be registered for them.
fn userfaultfd<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    raw: &RawCall<'t>,
    args: &mut Args<'_, 't>,
) -> Option<Call> {
    let name = raw.name.text;
    let page = args.page(scope, thread)?;
    let modes: &[UffdMode] = match name {
        "uffd_writeprotect" => &[UffdMode::Wp],
        "uffd_unprotect" => &[UffdMode::Wp, UffdMode::Rwp],
        "uffd_rwprotect" => &[UffdMode::Rwp],
        "uffd_continue" => &[UffdMode::Minor],
        _ => UffdMode::ALL,
    };
    let init = &scope.pages[page.index()];
    if !init
        .attributes
        .uffd
        .is_some_and(|uffd| modes.contains(&uffd.mode))
    {
        let mode = modes[0];
        let diagnostic = Diagnostic::new(
            Code::Contradiction,
            raw.arguments[0].span(),
            format!(
                "`{}` is not registered with userfaultfd for this",
                init.name
            ),
        )
        .note(init.span, format!("add `uffd({mode})` here"));
        return scope.none(diagnostic);
    }
    Some(match name {
        "uffd_writeprotect" => Call::UffdWriteprotect { page },
        "uffd_unprotect" => Call::UffdUnprotect { page },
        "uffd_rwprotect" => Call::UffdRwprotect { page },
        "uffd_copy" => Call::UffdCopy {
            page,
            values: args.page_values(scope, thread, page)?,
        },
        "uffd_zeropage" => Call::UffdZeropage { page },
        _ => Call::UffdContinue { page },
    })
}

/// `mremap(from, to)`, `uffd_move(to, from)`: the destination is untouched.
fn moving<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    name: &str,
    args: &mut Args<'_, 't>,
) -> Option<Call> {
    let first = args.page(scope, thread)?;
    let second = args.page(scope, thread)?;
    let (from, to) = if name == "mremap" {
        (first, second)
    } else {
        (second, first)
    };
    destination(scope, name, from, to, args)?;
    Some(match name {
        "mremap" => Call::Mremap { from, to },
        _ => Call::UffdMove { to, from },
    })
}

fn destination<'t>(
    scope: &mut Scope<'t>,
    name: &str,
    from: PageId,
    to: PageId,
    args: &Args<'_, 't>,
) -> Option<()> {
    let span = args.span(usize::from(name == "mremap"));
    let (source, target) = (&scope.pages[from.index()], &scope.pages[to.index()]);
    let why = if from == to {
        "a page does not move to itself"
    } else if target.contents != Contents::Untouched {
        "a page moves to where none is"
    } else if source.cells != target.cells {
        "both need as many cells"
    } else {
        return Some(());
    };
    let cells = source.cells;
    let diagnostic = Diagnostic::new(Code::Contradiction, span, why)
        .note(target.name_span, "declared here")
        .help(format!("declare the destination as `anon y[{cells}];`"));
    scope.none(diagnostic)
}

/// The calls that only need their arguments.
fn simple<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    name: &str,
    args: &mut Args<'_, 't>,
) -> Option<Call> {
    let own = thread.process;
    Some(match name {
        "exit" => Call::Exit,
        "swapoff" => Call::Swapoff,
        "lru_add_drain" => Call::LruAddDrain,
        "waitpid" => {
            let name = args.bare(scope, "a process")?;
            Call::Waitpid {
                process: scope.process(name)?,
            }
        }
        "clear_refs" => {
            let name = args.bare(scope, "a process")?;
            Call::ClearRefs {
                process: scope.process(name)?,
            }
        }
        "pread" | "pwrite" => {
            let file = args.file(scope)?;
            let mut place = args.transfer(scope, thread)?;
            let (file, cells) = file_place(scope, &file, place.page, place.cells)?;
            place.cells = cells;
            let mode = mode(scope, args)?;
            match name {
                "pread" => Call::Pread { file, place, mode },
                _ => Call::Pwrite { file, place, mode },
            }
        }
        "vmsplice" => {
            let pipe = args.bare(scope, "a pipe")?;
            let pipe = scope.pipe(pipe)?;
            Call::Vmsplice {
                pipe,
                place: args.transfer(scope, thread)?,
            }
        }
        "read" => {
            let pipe = args.bare(scope, "a pipe")?;
            Call::Read {
                pipe: scope.pipe(pipe)?,
            }
        }
        "tee" | "splice" => {
            let from = args.bare(scope, "a pipe")?;
            let from = scope.pipe(from)?;
            let to = args.bare(scope, "a pipe")?;
            let to = scope.pipe(to)?;
            match name {
                "tee" => Call::Tee { from, to },
                _ => Call::Splice { from, to },
            }
        }
        "madvise" => {
            let page = args.page(scope, thread)?;
            Call::Madvise {
                page,
                advice: advice(scope, args)?,
            }
        }
        "process_madvise" => {
            let at = args.address(scope, own)?;
            Call::ProcessMadvise {
                at,
                advice: remote_advice(scope, args)?,
            }
        }
        "munmap" => Call::Munmap {
            page: args.page(scope, thread)?,
        },
        "move_pages" => Call::MovePages {
            page: args.page(scope, thread)?,
        },
        "pagemap" => Call::Pagemap {
            page: args.page(scope, thread)?,
        },
        "mprotect" => {
            let page = args.page(scope, thread)?;
            Call::Mprotect {
                page,
                prot: prot(scope, args)?,
            }
        }
        "mem_write" | "process_vm_writev" => {
            let to = args.remote_cell(scope, own)?;
            let value = args.value(scope, thread)?;
            match name {
                "mem_write" => Call::MemWrite { to, value },
                _ => Call::ProcessVmWritev { to, value },
            }
        }
        "mem_read" => Call::MemRead {
            from: args.remote_cell(scope, own)?,
        },
        _ => Call::ProcessVmReadv {
            from: args.remote_cell(scope, own)?,
        },
    })
}

fn mode<'t>(scope: &mut Scope<'t>, args: &mut Args<'_, 't>) -> Option<Mode> {
    if !args.more() {
        return Some(Mode::Buffered);
    }
    let word = args.bare(scope, "`O_DIRECT`")?;
    match word.text {
        "O_DIRECT" => Some(Mode::Direct),
        _ => scope.none(unknown_word(word, "flag", ["O_DIRECT"])),
    }
}

pub(super) fn advice<'t>(scope: &mut Scope<'t>, args: &mut Args<'_, 't>) -> Option<Advice> {
    let word = args.bare(scope, "an advice")?;
    if let Some(advice) = Advice::from_word(word.text) {
        return Some(advice);
    }
    let help = did_you_mean(word.text, "advice", Advice::ALL.iter().map(|w| w.word()));
    scope.none(
        Diagnostic::new(
            Code::UnknownWord,
            word.span,
            format!("`{}` is not an advice", word.text),
        )
        .maybe_help(help.map(|help| help.replace("advices are", "the advices are"))),
    )
}

/// An advice that may be given to another process.
pub(super) fn remote_advice<'t>(scope: &mut Scope<'t>, args: &mut Args<'_, 't>) -> Option<Advice> {
    let at = args.span(1);
    let advice = advice(scope, args)?;
    if advice.may_be_remote() {
        return Some(advice);
    }
    let allowed: Vec<String> = Advice::ALL
        .iter()
        .filter(|a| a.may_be_remote())
        .map(|a| format!("`{a}`"))
        .collect();
    scope.none(
        Diagnostic::new(
            Code::Arguments,
            at,
            format!("`{advice}` cannot be given from outside"),
        )
        .help(format!("process_madvise takes {}", allowed.join(", "))),
    )
}

fn prot<'t>(scope: &mut Scope<'t>, args: &mut Args<'_, 't>) -> Option<Vec<Prot>> {
    let mut prot = Vec::new();
    let mut span = args.span(1);
    loop {
        let word = args.bare(scope, "a protection")?;
        span = span.to(word.span);
        match Prot::from_word(word.text) {
            Some(word) => prot.push(word),
            None => {
                let words = Prot::ALL.iter().map(|w| w.word());
                return scope.none(unknown_word(word, "protection", words));
            }
        }
        if !args.more() {
            break;
        }
    }
    prot.sort();
    prot.dedup();
    if prot.len() > 1 && prot.contains(&Prot::None) {
        return scope.none(
            Diagnostic::new(Code::Contradiction, span, "`PROT_NONE` stands alone")
                .label("no access, and some"),
        );
    }
    Some(prot)
}

//! `kernel` blocks.

use super::args::Args;
use super::calls::remote_advice;
use super::scope::Scope;
use crate::ast::{Activity, Kernel, KernelStmt, ProcessId};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits::{MAX_KERNEL, MAX_STMTS};
use crate::parse::syntax::{Block, Head, RawCall, RawSource, RawStmt};
use crate::reference::{ACTIVITIES, CALLS};

pub(super) fn blocks<'t>(scope: &mut Scope<'t>, blocks: &[Block<'t>]) -> Vec<Kernel> {
    let mut kernel = Vec::new();
    let mut actors = 0;
    for block in blocks {
        let Head::Kernel { copies } = &block.head else {
            continue;
        };
        let copies = match copies {
            Some(number) => scope
                .bounded(
                    *number,
                    1,
                    MAX_KERNEL as u8,
                    Code::Limit,
                    "the number of copies",
                )
                .unwrap_or(1),
            None => 1,
        };
        actors += usize::from(copies);
        if actors > MAX_KERNEL {
            scope.report(
                Diagnostic::new(
                    Code::Limit,
                    block.span,
                    "too many actors in `kernel` blocks",
                )
                .label(format!("a test has at most {MAX_KERNEL}")),
            );
            break;
        }
        if block.body.stmts.len() > MAX_STMTS {
            scope.report(
                Diagnostic::new(Code::Limit, block.span, "too many statements")
                    .label(format!("a block has at most {MAX_STMTS}")),
            );
        }
        let stmts = block.body.stmts.iter().take(MAX_STMTS);
        let activities: Vec<KernelStmt> = stmts.filter_map(|raw| statement(scope, raw)).collect();
        if block.body.stmts.is_empty() && !block.body.broken {
            scope.report(Diagnostic::new(
                Code::NeverRuns,
                block.span,
                "this `kernel` block does nothing",
            ));
        }
        kernel.push(Kernel {
            copies,
            activities,
            span: block.span,
        });
    }
    kernel
}

fn statement<'t>(scope: &mut Scope<'t>, raw: &RawStmt<'t>) -> Option<KernelStmt> {
    let call = match (&raw.target, &raw.source) {
        (None, RawSource::Call(call)) => call,
        (Some(target), _) => {
            return scope.none(
                Diagnostic::new(
                    Code::Result,
                    target.span,
                    "what the kernel does has no result",
                )
                .label("remove this")
                .help("whether it gave up is asked for in the condition: `refused(reclaim)`"),
            );
        }
        _ => return None,
    };
    let activity = activity(scope, call)?;
    Some(KernelStmt {
        activity,
        span: raw.span,
    })
}

fn activity<'t>(scope: &mut Scope<'t>, raw: &RawCall<'t>) -> Option<Activity> {
    let name = raw.name.text;
    let Some((_, usage)) = ACTIVITIES.iter().find(|(activity, _)| *activity == name) else {
        return scope.none(unknown(raw));
    };
    if let Some(body) = &raw.body {
        return scope.none(
            Diagnostic::new(Code::Arguments, body.span, format!("`{name}` has no block"))
                .label("only `fork` has one"),
        );
    }
    let mut args = Args::new(raw, usage);
    let default = ProcessId(0);
    let activity = match name {
        "reclaim" => Activity::Reclaim {
            at: args.address(scope, default)?,
        },
        "migrate" => Activity::Migrate {
            at: args.address(scope, default)?,
        },
        "numa_scan" => Activity::NumaScan {
            at: args.address(scope, default)?,
        },
        "ksm" => {
            let mut pages = vec![args.address(scope, default)?];
            if args.more() {
                let second = args.address(scope, default)?;
                if pages.contains(&second) {
                    return scope.none(
                        Diagnostic::new(
                            Code::Arguments,
                            args.span(1),
                            "a page is not merged with itself",
                        )
                        .help("`ksm(x)` is one pass over one page"),
                    );
                }
                pages.push(second);
            }
            Activity::Ksm { pages }
        }
        "madvise" => {
            let at = args.address(scope, default)?;
            Activity::Madvise {
                at,
                advice: remote_advice(scope, &mut args)?,
            }
        }
        "clear_refs" => {
            let process = args.bare(scope, "a process")?;
            Activity::ClearRefs {
                process: scope.process(process)?,
            }
        }
        "swapoff" => Activity::Swapoff,
        _ => Activity::LruAddDrain,
    };
    args.finish(scope)?;
    Some(activity)
}

fn unknown(raw: &RawCall<'_>) -> Diagnostic {
    let name = raw.name.text;
    let diagnostic = Diagnostic::new(
        Code::UnknownCall,
        raw.name.span,
        format!("the kernel does no `{name}` by itself"),
    );
    if CALLS.iter().any(|(call, _)| *call == name) {
        return diagnostic
            .label("a call of threads")
            .help("write it in a thread, as in `P0 { ... }`");
    }
    let near = crate::suggest::nearest(name, ACTIVITIES.iter().map(|(activity, _)| *activity));
    match near.and_then(|near| ACTIVITIES.iter().find(|(activity, _)| *activity == near)) {
        Some((near, usage)) => diagnostic.help(format!("did you mean `{near}`, as in `{usage}`?")),
        None => {
            let names: Vec<String> = ACTIVITIES
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            diagnostic.help(format!("activities are {}", names.join(", ")))
        }
    }
}

//! The shape of a test to a checked test: names become indices, and everything is held against what was declared.

mod args;
mod attributes;
mod calls;
mod condition;
mod init;
mod kernel;
mod results;
mod scope;
mod stmts;
mod threads;

use crate::ast::Test;
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::Lexed;
use crate::parse::syntax::{Decl, DeclKind, RawTest};
use scope::Scope;

/// The checked test, and what is wrong with it. Of use only where neither this nor the parse reported an error.
pub(crate) fn check<'t>(
    text: &'t str,
    lexed: &Lexed,
    raw: &RawTest<'t>,
) -> (Option<Test>, Vec<Diagnostic>) {
    let mut scope = Scope::default();
    init::processes(&mut scope, &raw.decls);
    let programs = threads::collect(&mut scope, &raw.blocks);
    init::names(&mut scope, &raw.decls);
    init::things(&mut scope, &raw.decls);
    let environment = init::environment(&mut scope, &raw.decls);
    let mut threads = stmts::threads(&mut scope, &programs);
    let kernel = kernel::blocks(&mut scope, &raw.blocks);
    let condition = condition::check(&mut scope, &mut threads, raw);
    let head = results::head(&mut scope, text, lexed, raw);
    if !scope.diagnostics.iter().any(Diagnostic::is_error) {
        unused(&mut scope, &raw.decls);
        stmts::warnings(&mut scope, &threads);
    }
    let Scope {
        processes,
        pages,
        files,
        pipes,
        diagnostics,
        ..
    } = scope;
    let test = condition.map(|(condition, locations)| Test {
        name: raw.name.text.to_owned(),
        doc: head.doc,
        results: head.results,
        processes,
        pages,
        files,
        pipes,
        swap: environment.swap,
        tlb: environment.tlb,
        failures: environment.failures,
        frames: environment.frames,
        threads: threads.into_iter().map(|thread| thread.finish()).collect(),
        kernel,
        locations,
        condition,
    });
    (test, diagnostics)
}

/// Warns of what is declared and never named again.
fn unused(scope: &mut Scope<'_>, decls: &[Decl<'_>]) {
    for decl in decls {
        let (noun, name) = match &decl.kind {
            DeclKind::Page { name, .. } => ("variable", name),
            DeclKind::File { name, .. } => ("file", name),
            DeclKind::Pipe { name } => ("pipe", name),
            _ => continue,
        };
        if !scope.is_used(name.text) {
            scope.report(
                Diagnostic::new(
                    Code::Unused,
                    name.span,
                    format!("the {noun} `{}` is never used", name.text),
                )
                .label("no thread, activity or condition names it"),
            );
        }
    }
}

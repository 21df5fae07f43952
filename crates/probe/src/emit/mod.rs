//! A test as a stand-alone C program, to attach to a report: one file, libc only, with the story of the schedule that it forces.
//!
//! The calls of the test become the system calls of that name. The order of the calls is one that the model found to lead to the test's condition, and
//! that a program can force (`order`); what the program does instead of what it cannot do was put into the test before (`substitute`). A test that
//! cannot be written so is refused.

mod condition;
pub(crate) mod order;
mod processes;
mod program;
mod schedule;
mod statement;
mod substitute;

use cowherd_explore::System;
use cowherd_litmus::ast::{Quantifier, Test};
use cowherd_model::check::Search;
use cowherd_model::kernels::Profile;
use cowherd_model::lower::lower;
use cowherd_model::program::Program;
use cowherd_model::state::State;
use cowherd_model::witness::Names;

pub use order::{Event, Order};
pub use substitute::{Refusal, Substituted, substitute};

/// A program, and what it was made of.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// The C.
    pub text: String,
    /// The kernel on which the order leads to the condition; none: on no kernel it does, and the order is any one.
    pub kernel: Option<String>,
}

/// What an order has to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// The condition's proposition; with `forall`, its opposite.
    Condition,
    /// Any end.
    End,
}

/// The program of a test. The kernels are tried in turn: it forces an order that leads to the test's condition on the first one that has such.
///
/// # Errors
///
/// If the test cannot be written as a program; if there is but one kernel, and no order that a program can force leads to the condition on it.
pub fn emit(
    test: &Test,
    source: &str,
    kernels: &[Profile],
    search: &Search,
) -> Result<Emitted, Refusal> {
    let substituted = substitute(test)?;
    // What cannot be written is refused before anything is searched for.
    program::expressible(&substituted.test)?;
    for kernel in kernels {
        if let Some(order) = find(&substituted.test, source, kernel, search, Goal::Condition)? {
            return Ok(Emitted {
                text: program::write(&substituted, &order, Some(&kernel.name))?,
                kernel: Some(kernel.name.clone()),
            });
        }
    }
    match kernels {
        [only] => substitute::refuse(format!(
            "no order that a program can force leads to the condition on {only}"
        )),
        [newest, ..] => {
            let Some(order) = find(&substituted.test, source, newest, search, Goal::End)? else {
                return substitute::refuse("no order of the calls comes to an end");
            };
            Ok(Emitted {
                text: program::write(&substituted, &order, None)?,
                kernel: None,
            })
        }
        [] => substitute::refuse("no kernel was named"),
    }
}

fn find(
    test: &Test,
    source: &str,
    kernel: &Profile,
    search: &Search,
    goal: Goal,
) -> Result<Option<Order>, Refusal> {
    let Ok(program) = lower(test, kernel, false) else {
        return Ok(None);
    };
    let names = Names {
        test: test.name.clone(),
        source: source.into(),
        profile: kernel.name.clone(),
    };
    let wanted =
        |state: &State| goal == Goal::End && program.done(state) || reached(test, &program, state);
    match order::order(&program, &names, &search.options(), wanted) {
        order::Search::Found(order) => Ok(Some(*order)),
        order::Search::None => Ok(None),
        order::Search::Unknown => {
            substitute::refuse("the search for an order was cut short by a limit")
        }
    }
}

fn reached(test: &Test, program: &Program, state: &State) -> bool {
    if !program.done(state) {
        return false;
    }
    let mut bytes = Vec::new();
    program.outcome(state, &mut bytes);
    let holds = program.satisfies(&test.condition.prop, &bytes);
    holds != (test.condition.quantifier == Quantifier::Forall)
}

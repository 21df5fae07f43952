//! What a test showed, held against the model.
//!
//! A directed run is followed turn by turn: the set of states that the model may be in goes through each turn, and what was seen cuts it down. Where nothing is
//! left, the machine did what the model forbids. The final state has to be one of those that are left; that of a free run, one of all.

use std::collections::{BTreeMap, BTreeSet};

use cowherd_litmus::ast::{Prop, Test};
use cowherd_mm::FeatureSet;
use cowherd_model::check::{self, Search, check};
use cowherd_model::kernels::Profile;
use cowherd_model::predict::{Belief, Predictor, TooMany, Turn};
use cowherd_model::program::Program;
use serde::{Deserialize, Serialize};

use super::chosen::{Chosen, choose};
use super::follow::{Tracker, Unfollowed, agrees, told_by};
use super::runner::LIMIT;
use super::{Options, TestResult, why};

/// Forbidden runs of a test that are explained.
const EXPLAINED: usize = 3;
/// States of the search over every interleaving at most.
const SEARCH: u64 = 400_000;
/// States of all beliefs of one order at most, where nothing seen cuts them down.
const GRAIN: usize = 20_000;

/// What came of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// It did not run.
    Skipped,
    /// No run gave a result.
    NoResult,
    /// Everything that was seen is allowed. What the condition asks for is never the case, cannot be told from outside, or is not asked for.
    Sound,
    /// Everything that was seen is allowed; what the condition asks for was not seen, though the model allows it.
    NotWitnessed,
    /// Everything that was seen is allowed, and what the condition asks for was seen.
    Witnessed,
    /// Something was seen that the model forbids.
    Unsound,
}

impl Verdict {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Skipped => "skipped",
            Verdict::NoResult => "no result",
            Verdict::Sound => "sound",
            Verdict::NotWitnessed => "not witnessed",
            Verdict::Witnessed => "witnessed",
            Verdict::Unsound => "UNSOUND",
        }
    }
}

/// One distinct final state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// As herd writes it: `A:x[0]=0; P0:r0=1;`.
    pub state: String,
    /// How often it was seen.
    pub times: u32,
    /// Does the proposition of the condition hold? None: it cannot be told from outside.
    pub satisfies: Option<bool>,
}

/// Something that the model forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forbidden {
    /// The turns, one a line, the last of them the one after which it was seen.
    pub turns: Vec<String>,
    /// What was seen.
    pub seen: String,
    /// What the model allows there.
    pub allowed: Vec<String>,
    /// Why not the other: what the model does in the last turn, and which of its rules forbids what was seen.
    pub why: Vec<String>,
    /// How often.
    pub times: u32,
}

/// A test held against the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// The test.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it was skipped, or not witnessed, where that is known.
    pub reason: Option<String>,
    /// What stood in for what.
    pub notes: Vec<String>,
    /// The condition, as it ran.
    pub condition: String,
    /// How often the proposition holds in the model, over all interleavings; `Unknown` where the search was cut short.
    pub model: String,
    /// The same over the runs.
    pub observed: String,
    /// The final states.
    pub states: Vec<Seen>,
    /// Orders that were forced.
    pub orders: usize,
    /// Were there more?
    pub sampled: bool,
    /// Runs that gave a result.
    pub runs: u32,
    /// Runs that gave none, and why.
    pub no_result: Vec<(String, u32)>,
    /// What the model forbids.
    pub forbidden: Vec<Forbidden>,
    /// Runs that came to too many states to be followed.
    pub unfollowed: u32,
    /// The steps that the model may have taken in the turns that were taken.
    #[serde(skip)]
    pub steps: Steps,
}

/// Steps of the mm: a path, and the step's name.
pub type Steps = BTreeSet<(&'static str, &'static str)>;

/// Holds a result against the model of a kernel.
pub fn judge(result: &TestResult, profile: &Profile, options: &Options) -> Judged {
    let mut judged = Judged {
        name: result.name.clone(),
        verdict: Verdict::Skipped,
        reason: result.skipped.clone(),
        notes: result.notes.clone(),
        condition: String::new(),
        model: "-".into(),
        observed: "-".into(),
        states: Vec::new(),
        orders: result.orders,
        sampled: result.sampled,
        runs: 0,
        no_result: result.no_result.clone(),
        forbidden: Vec::new(),
        unfollowed: 0,
        steps: Steps::new(),
    };
    if result.skipped.is_some() {
        return judged;
    }
    let test = match cowherd_litmus::parse(&result.name, &result.ran) {
        Ok(test) => test,
        Err(errors) => {
            judged.reason = Some(format!("the test as it ran does not parse: {errors:?}"));
            judged.verdict = Verdict::NoResult;
            return judged;
        }
    };
    let predictor = match Predictor::new(&test, profile, LIMIT) {
        Ok(predictor) => predictor,
        Err(refused) => {
            judged.reason = Some(format!("the model does not run it: {refused}"));
            return judged;
        }
    };
    judged.condition = test.show(&test.condition).to_string();
    let mut tracker = Tracker::new(&predictor, &test);
    let mut states: BTreeMap<String, Seen> = BTreeMap::new();
    let mut note = |state: String, times: u32, satisfies: Option<bool>| {
        let seen = states.entry(state.clone()).or_insert(Seen {
            state,
            times: 0,
            satisfies,
        });
        seen.times += times;
        seen.satisfies = if seen.satisfies == satisfies {
            satisfies
        } else {
            None
        };
    };
    let mut unfinished = 0;
    for (trace, times) in &result.traces {
        judged.runs += times;
        let satisfies = match tracker.follow(trace) {
            Ok(Ok(satisfies)) => satisfies,
            Ok(Err(mut forbidden)) => {
                forbidden.times = *times;
                if judged.forbidden.len() < EXPLAINED {
                    forbidden.why = why::not(&test, profile, &predictor, trace);
                }
                judged.forbidden.push(forbidden);
                None
            }
            Err(Unfollowed::TooMany) => {
                judged.unfollowed += times;
                None
            }
            Err(Unfollowed::Unfinished) => {
                judged.runs -= times;
                unfinished += times;
                continue;
            }
        };
        note(tracker.text(&trace.outcome), *times, satisfies);
    }
    if unfinished > 0 {
        let why = "it ended, though somebody had something left to do";
        judged.no_result.push((why.into(), unfinished));
    }
    judged.steps = predictor.program.taken.names().into_iter().collect();
    // Where nothing is asked, the model need not be searched.
    let asks = test.condition.prop != Prop::True;
    let run = asks.then(|| model(&test, profile)).flatten();
    let all = (!result.free.is_empty())
        .then(|| whole(&test, profile))
        .flatten();
    for (outcome, times) in &result.free {
        judged.runs += times;
        let satisfies = match &all {
            Some((program, outcomes)) => {
                let agreeing: Vec<&Vec<u8>> =
                    outcomes.iter().filter(|o| agrees(o, outcome)).collect();
                if agreeing.is_empty() {
                    judged.forbidden.push(Forbidden {
                        turns: vec!["threads ran freely".into()],
                        seen: tracker.text(outcome),
                        allowed: outcomes
                            .iter()
                            .take(8)
                            .map(|o| program.outcome_names(o).join("; "))
                            .collect(),
                        why: Vec::new(),
                        times: *times,
                    });
                }
                told_by(program, &test.condition.prop, outcome, &agreeing)
            }
            None => {
                judged.unfollowed += times;
                None
            }
        };
        note(tracker.text(outcome), *times, satisfies);
    }
    judged.states = states.into_values().collect();
    conclude(&mut judged, &test, &predictor, run, options);
    judged
}

/// Does the model of a kernel allow every forced run of a result, and which features did it ask about? None: there is no such run, or none that can be
/// followed.
pub fn allows(result: &TestResult, profile: &Profile) -> Option<(bool, FeatureSet)> {
    if result.traces.is_empty() {
        return None;
    }
    let test = cowherd_litmus::parse(&result.name, &result.ran).ok()?;
    let predictor = Predictor::new(&test, profile, LIMIT).ok()?;
    let mut tracker = Tracker::new(&predictor, &test);
    let mut allowed = true;
    for (trace, _) in &result.traces {
        match tracker.follow(trace) {
            Ok(followed) => allowed &= followed.is_ok(),
            Err(Unfollowed::Unfinished) => {}
            Err(Unfollowed::TooMany) => return None,
        }
    }
    Some((allowed, predictor.program.cfg.consulted()))
}

fn conclude(
    judged: &mut Judged,
    test: &Test,
    predictor: &Predictor,
    run: Option<check::Verdict>,
    options: &Options,
) {
    judged.model = run.map_or("-".into(), |v| v.word().into());
    let yes = judged.states.iter().any(|s| s.satisfies == Some(true));
    let no = judged.states.iter().any(|s| s.satisfies == Some(false));
    judged.observed = match (yes, no) {
        (true, true) => "Sometimes",
        (true, false) => "Always",
        (false, true) => "Never",
        (false, false) => "-",
    }
    .into();
    judged.verdict = if !judged.forbidden.is_empty() {
        Verdict::Unsound
    } else if judged.runs == 0 {
        judged.reason = judged.no_result.first().map(|(why, _)| why.clone());
        Verdict::NoResult
    } else if test.condition.prop == Prop::True {
        Verdict::Sound
    } else if run == Some(check::Verdict::Never) && yes || run == Some(check::Verdict::Always) && no
    {
        // Every run followed the model to one of its ends, and the search of all of them has none such: one of the two is wrong.
        judged.forbidden.push(contradiction(judged));
        Verdict::Unsound
    } else if run == Some(check::Verdict::Never) || !yes && !no {
        judged.reason =
            (!yes && !no).then(|| "what the condition asks for cannot be told from outside".into());
        Verdict::Sound
    } else if yes {
        Verdict::Witnessed
    } else if judged.states.iter().any(|s| s.satisfies.is_none()) {
        judged.reason = Some("in some of the runs it cannot be told from outside".into());
        Verdict::NotWitnessed
    } else {
        judged.reason = Some(why_not_seen(test, predictor, options).into());
        Verdict::NotWitnessed
    };
}

/// Why an outcome that the model allows was not seen: does any order of whole calls show it?
fn why_not_seen(test: &Test, predictor: &Predictor, options: &Options) -> &'static str {
    let chosen = choose(test, predictor, options);
    match at_call_grain(test, predictor, &chosen) {
        Ok(true) => "allowed at the grain of calls, by a choice that the kernel did not take",
        Ok(false) if chosen.sampled && chosen.shows != Some(false) => {
            "not in the orders that were tried, at the grain of calls"
        }
        Ok(false) => "needs an interleaving inside a call",
        Err(TooMany) => "not known: there are too many states at the grain of calls",
    }
}

/// May any of the orders, call by call, end so that the proposition holds?
fn at_call_grain(test: &Test, predictor: &Predictor, chosen: &Chosen) -> Result<bool, TooMany> {
    let mut stack: Vec<(Turn, Belief)> = Vec::new();
    for order in &chosen.orders {
        let common = stack
            .iter()
            .zip(order)
            .take_while(|((turn, _), o)| turn == *o)
            .count();
        stack.truncate(common);
        for &turn in &order[common..] {
            let mut belief = stack
                .last()
                .map_or_else(|| predictor.start(), |(_, b)| b.clone());
            belief.look_away(predictor);
            let next = predictor.turn(&belief, turn)?;
            if next.len() > GRAIN {
                return Err(TooMany);
            }
            stack.push((turn, next));
        }
        let last = stack
            .last()
            .map_or_else(|| predictor.start(), |(_, b)| b.clone());
        if to_the_end(predictor, last)?
            .ends(predictor)
            .iter()
            .any(|o| predictor.program.satisfies(&test.condition.prop, o))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes the turns that an order left over, as a run does.
fn to_the_end(predictor: &Predictor, mut belief: Belief) -> Result<Belief, TooMany> {
    let transfers = (0..predictor.program.cfg.sizes.ios).map(Turn::Complete);
    let turns: Vec<Turn> = transfers
        .chain((0..predictor.program.tasks.len()).map(Turn::Task))
        .collect();
    while let Some(&turn) = turns.iter().find(|&&turn| belief.can(predictor, turn)) {
        belief.look_away(predictor);
        belief = predictor.turn(&belief, turn)?;
        if belief.len() > GRAIN {
            return Err(TooMany);
        }
    }
    Ok(belief)
}

/// How often the proposition holds in the model.
fn model(test: &Test, profile: &Profile) -> Option<check::Verdict> {
    let mut bare = test.clone();
    bare.locations.clear();
    let search = Search {
        max_states: Some(SEARCH),
        ..Search::default()
    };
    check(&bare, profile, &search).ok().map(|run| run.verdict)
}

/// Every final state of the model, if the search comes to its end.
fn whole(test: &Test, profile: &Profile) -> Option<(Program, Vec<Vec<u8>>)> {
    let search = Search {
        max_states: Some(SEARCH),
        ..Search::default()
    };
    let run = check(test, profile, &search).ok()?;
    let complete = run.ended == cowherd_explore::Ended::Complete;
    let program = cowherd_model::lower::lower(test, profile, true).ok()?;
    complete.then(|| (program, run.outcomes.into_iter().map(|o| o.bytes).collect()))
}

/// A condition that is seen to hold, or not to, where the search of every interleaving says that it cannot be.
fn contradiction(judged: &Judged) -> Forbidden {
    let states = judged.states.iter().filter(|s| s.satisfies.is_some());
    Forbidden {
        turns: Vec::new(),
        seen: format!("{} over the runs", judged.observed),
        allowed: vec![format!("{} over every interleaving", judged.model)],
        why: states.clone().map(|s| s.state.clone()).collect(),
        times: states.map(|s| s.times).sum(),
    }
}

#[cfg(test)]
mod tests {
    use cowherd_model::kernels::Kernels;

    use super::super::directed::Trace;
    use super::*;

    fn profile() -> Profile {
        let composed = Kernels::shipped().profile("v6.12").expect("a kernel");
        composed.profile
    }

    /// What comes of one run of a test, in which `turns` were taken and the model's own view was seen after each.
    fn one_run(text: &str, turns: &[Turn], outcome: &[Option<u8>]) -> Judged {
        let test = cowherd_litmus::parse("test", text).expect("a test");
        let p = Predictor::new(&test, &profile(), LIMIT).expect("it runs");
        let mut belief = p.start();
        let mut trace = Trace {
            turns: turns.to_vec(),
            views: Vec::new(),
            outcome: outcome.to_vec(),
        };
        for &turn in turns {
            belief = p.turn(&belief, turn).expect("it is followed");
            let view = belief.views(&p).into_iter().next().expect("a view");
            assert!(belief.keep(&p, &view));
            trace.views.push(view);
        }
        let result = TestResult {
            ran: text.into(),
            traces: vec![(trace, 1)],
            ..TestResult::default()
        };
        judge(&result, &profile(), &Options::default())
    }

    const TWO_STORES: &str = "
MM two-stores
{ anon x = 1; }
P0 in A { x = 2; x = 3; }
exists (A:x = 2)
";

    #[test]
    fn a_run_in_which_somebody_had_something_left_to_do_is_no_result() {
        let turns = [Turn::Task(0)];
        let judged = one_run(TWO_STORES, &turns, &[Some(2)]);
        assert_eq!(judged.verdict, Verdict::NoResult, "{judged:?}");
        assert_eq!((judged.runs, judged.states.len()), (0, 0));
        let judged = one_run(TWO_STORES, &[turns[0]; 2], &[Some(3)]);
        assert_eq!(judged.verdict, Verdict::Sound, "{judged:?}");
    }

    #[test]
    fn what_cannot_be_told_from_outside_is_not_witnessed_by_the_model_alone() {
        let text = TWO_STORES.replace("A:x = 2", "writable(A:x)");
        let judged = one_run(&text, &[Turn::Task(0); 2], &[None]);
        assert_eq!(judged.model, "Always");
        assert_eq!(judged.verdict, Verdict::Sound, "{judged:?}");
        assert_eq!(judged.states[0].satisfies, None);
    }

    #[test]
    fn a_condition_that_was_seen_and_never_holds_is_unsound() {
        let test = cowherd_litmus::parse("test", TWO_STORES).expect("a test");
        let p = Predictor::new(&test, &profile(), LIMIT).expect("it runs");
        let mut judged = one_run(TWO_STORES, &[Turn::Task(0); 2], &[Some(3)]);
        judged.states[0].satisfies = Some(true);
        let never = Some(check::Verdict::Never);
        conclude(&mut judged, &test, &p, never, &Options::default());
        assert_eq!(judged.verdict, Verdict::Unsound);
        assert_eq!(judged.forbidden.len(), 1);
    }
}

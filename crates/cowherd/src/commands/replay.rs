//! `cowherd replay`

use std::io::Read;

use cowherd_model::corpus::Entry;
use cowherd_model::lower::lower;
use cowherd_model::witness::{SCHEMA, Trace};
use cowherd_report::html::witness::page_of_two;
use cowherd_report::witness::why_not::{as_json, why_not};

use crate::cli::{Replay, Telling};
use crate::commands::explain;
use crate::commands::list::pretty;
use crate::exit::{Exit, Failure};
use crate::find;
use crate::input;
use crate::terminal;

pub fn run(args: &Replay) -> Result<Exit, Failure> {
    let recorded = load(args)?;
    let source = recorded.test.clone();
    let entry = Entry::made(&recorded.test, source, recorded.source.clone().into_bytes());
    let test = input::load(&[entry])?
        .pop()
        .ok_or(Failure::Told(Exit::BadInput))?;
    let word = args.kernel.as_deref().unwrap_or(&recorded.profile);
    let profile = input::profile(word)?;
    let program = lower(&test.test, &profile, true).map_err(|r| explain::refuse(&test, &r))?;
    let replay = program.replay(&recorded, &find::names(&test, &profile));
    let text = match args.format {
        Telling::Story if replay.parting.is_some() => why_not(&recorded, &replay, &[]),
        Telling::Story => {
            let same = why_not(&recorded, &replay, &[]);
            format!("{}\n{same}", explain::tell(&replay.trace, args.format)?)
        }
        Telling::Html if replay.parting.is_some() => page_of_two(&recorded, &replay, &[]),
        Telling::Json => pretty(&as_json(&recorded, &replay, &[]))?,
        other => explain::tell(&replay.trace, other)?,
    };
    terminal::print(&text)?;
    let own = profile.name == recorded.profile;
    // On its own kernel a witness that parts is not what was recorded.
    Ok(if own && replay.parting.is_some() {
        Exit::Differs
    } else {
        Exit::Fine
    })
}

fn load(args: &Replay) -> Result<Trace, Failure> {
    let path = &args.trace;
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| Failure::file(path, &e))?;
        text
    } else {
        std::fs::read_to_string(path).map_err(|e| Failure::file(path, &e))?
    };
    let wrong = |e: &dyn std::fmt::Display| Failure::Input(format!("{}: {e}", path.display()));
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64);
    if schema != Some(u64::from(SCHEMA)) {
        return Err(wrong(&format!(
            "this is no witness of schema {SCHEMA}; `cowherd explain --format json` writes one"
        )));
    }
    serde_json::from_value(value).map_err(|e| wrong(&e))
}

//! `cowherd detect --source`: a source tree

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use cowherd_model::kernels::{Arch, Kernels};
use cowherd_probe::detect::look::{Found, Place};
use cowherd_probe::detect::source::{Detected, Looked, detect};
use cowherd_probe::detect::tree::Tree;
use cowherd_report::style::{BAD, BOLD, DIM, GOOD, NAME, WARN, WIDTH, hang, paint, plural, wrap};
use serde_json::json;

use crate::cli::Detect;
use crate::commands::detect_running;
use crate::commands::list::pretty;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub fn run(args: &Detect) -> Result<Exit, Failure> {
    match &args.source {
        Some(folder) => source(args, folder),
        None => detect_running::run(args),
    }
}

/// The architecture that was asked for, or else that of this name.
pub(super) fn arch(args: &Detect, default: Option<&str>) -> Result<Arc<Arch>, Failure> {
    let kernels = Kernels::shipped();
    match args.arch.as_deref().or(default) {
        None => Ok(Arc::clone(kernels.default_arch())),
        Some(name) => kernels
            .arch(name)
            .map_err(|e| Failure::Input(e.to_string())),
    }
}

fn source(args: &Detect, folder: &Path) -> Result<Exit, Failure> {
    let arch = arch(args, None)?;
    let tree = Tree::open(folder).map_err(|e| Failure::Input(e.to_string()))?;
    if !tree.runs_on(&arch) {
        return Err(Failure::Input(format!(
            "{}: this kernel has no arch/{}",
            folder.display(),
            arch.source
        )));
    }
    let detected = detect(Kernels::shipped(), &tree, &arch);
    let expression = match &detected.expression {
        Ok(composed) => composed.profile.name.clone(),
        Err(error) if args.brief => return Err(Failure::Input(error.to_string())),
        Err(_) => String::new(),
    };
    let text = if args.json {
        pretty(&as_json(&detected))?
    } else if args.brief {
        format!("{expression}\n")
    } else {
        as_text(&detected, &folder.display().to_string())
    };
    terminal::print(&text)?;
    let told = detected.expression.is_ok() && detected.unknown().next().is_none();
    Ok(if told { Exit::Fine } else { Exit::Undetermined })
}

fn as_text(detected: &Detected, folder: &str) -> String {
    let mut out = String::new();
    let version = match &detected.version {
        Some(version) => format!("Linux {version}"),
        None => "no Makefile says which release".into(),
    };
    let _ = writeln!(
        out,
        "{}: {version}, on {}",
        paint(BOLD, folder),
        detected.arch.name
    );
    for (title, rules) in [("Features", false), ("Rules", true)] {
        let _ = writeln!(out, "\n{}", paint(BOLD, title));
        for looked in of_kind(detected, rules) {
            line(&mut out, looked);
        }
    }
    out.push('\n');
    let differs: Vec<&Looked> = detected.differs().collect();
    let nearest = paint(NAME, &detected.nearest);
    if differs.is_empty() {
        let _ = writeln!(out, "Every feature that was found out is as in {nearest}.");
    } else {
        let _ = writeln!(
            out,
            "The nearest known kernel is {nearest}; {} from it:",
            match differs.len() {
                1 => "1 feature differs".into(),
                n => format!("{n} features differ"),
            }
        );
        for looked in differs {
            line(&mut out, looked);
        }
    }
    let unknown = detected.unknown().count();
    if unknown > 0 {
        let text = format!(
            "{} could not be told and taken as in {}.",
            plural(unknown, "feature"),
            detected.nearest
        );
        let _ = writeln!(out, "{}", paint(WARN, wrap(&text, WIDTH, 0)));
    }
    match &detected.expression {
        Ok(composed) => {
            for warning in &composed.warnings {
                let _ = writeln!(out, "{}", wrap(&format!("Note: {warning}"), WIDTH, 0));
            }
            let _ = writeln!(out, "As a profile: -k {}", paint(BOLD, &composed.profile));
        }
        Err(error) => {
            let text = format!("What was found is no kernel that the model can run: {error}");
            let _ = writeln!(out, "{}", paint(BAD, wrap(&text, WIDTH, 0)));
        }
    }
    out
}

fn of_kind(detected: &Detected, rules: bool) -> impl Iterator<Item = &Looked> {
    let is_rule = |l: &&Looked| Kernels::shipped().feature(l.feature).rule.is_some();
    detected.looked.iter().filter(move |l| is_rule(l) == rules)
}

/// `  swp_exclusive             present      mm/rmap.c:1756: swp_pte = pte_swp_mkexclusive(swp_pte);`
fn line(out: &mut String, looked: &Looked) {
    let (style, word, text) = match &looked.found {
        Found::Present(place) => (GOOD, "present", place.to_string()),
        Found::Absent(place) => (DIM, "absent", place.to_string()),
        Found::CannotTell(why) => (WARN, "cannot tell", why.clone()),
    };
    let _ = writeln!(
        out,
        "  {}  {}  {}",
        paint(NAME, format!("{:<24}", looked.feature.name())),
        paint(style, format!("{word:<11}")),
        hang(&text, WIDTH - 41, 41)
    );
}

fn as_json(detected: &Detected) -> serde_json::Value {
    let features: Vec<serde_json::Value> = detected
        .looked
        .iter()
        .map(|looked| {
            let at = |place: &Place| json!({ "file": place.file, "line": place.line, "text": place.text });
            let (found, place, why) = match &looked.found {
                Found::Present(place) => ("present", at(place), None),
                Found::Absent(place) => ("absent", at(place), None),
                Found::CannotTell(why) => ("cannot tell", serde_json::Value::Null, Some(why)),
            };
            json!({
                "name": looked.feature.name(),
                "rule": Kernels::shipped().feature(looked.feature).rule.is_some(),
                "found": found,
                "decided_by": place,
                "why": why,
            })
        })
        .collect();
    json!({
        "schema": cowherd_report::json::SCHEMA,
        "version": detected.version,
        "arch": detected.arch.name,
        "nearest": detected.nearest.name,
        "profile": detected.expression.as_ref().ok().map(|c| c.profile.name.clone()),
        "error": detected.expression.as_ref().err().map(ToString::to_string),
        "differs": detected.differs().map(|l| l.feature.name()).collect::<Vec<_>>(),
        "features": features,
    })
}

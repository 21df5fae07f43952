//! `cowherd features`

use std::fmt::Write as _;

use cowherd_model::kernels::{FeatureInfo, Kernels, Role, Status};
use cowherd_report::style::{BOLD, DIM, NAME, WARN, hang, paint};
use serde_json::json;

use crate::cli::Features;
use crate::commands::list::pretty;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub fn run(args: &Features) -> Result<Exit, Failure> {
    let data = Kernels::shipped();
    let text = match &args.name {
        None if args.json => {
            let all: Vec<_> = data.features().iter().map(as_json).collect();
            pretty(&json!({ "schema": cowherd_report::json::SCHEMA, "features": all }))?
        }
        None => all(data),
        Some(word) => {
            let info = data
                .find_feature(word)
                .map_err(|e| Failure::Input(e.to_string()))?;
            if args.json {
                pretty(&as_json(info))?
            } else {
                one(info)
            }
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Fine)
}

fn all(data: &Kernels) -> String {
    let mut out = String::new();
    type Part = (&'static str, fn(&FeatureInfo) -> bool);
    let parts: [Part; 3] = [
        ("Upstream changes", |i| {
            i.feature().is_some() && i.rule.is_none()
        }),
        (
            "Rules that were always there; taking one away is a mutant",
            |i| i.feature().is_some() && i.rule.is_some(),
        ),
        ("Not modelled; asking for one is refused", |i| {
            i.feature().is_none()
        }),
    ];
    for (title, belongs) in parts {
        let _ = writeln!(out, "{}", paint(BOLD, title));
        for info in data.features().iter().filter(|i| belongs(i)) {
            let name = paint(NAME, format!("{:<22}", info.name));
            let when = format!("{:<8}", since(info));
            let _ = writeln!(out, "  {name}  {when}  {}", hang(&info.effect, 64, 36));
        }
    }
    out
}

/// In which releases, briefly: `v5.19`, `-v5.8`, `always`.
fn since(info: &FeatureInfo) -> String {
    match info.until {
        Some(until) => format!("-{until}"),
        None => info.first.to_string(),
    }
}

fn one(info: &FeatureInfo) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint(BOLD, &info.name));
    let mut line = |key: &str, text: String| {
        if !text.is_empty() {
            let key = paint(DIM, format!("{key:<12}"));
            let _ = writeln!(out, "  {key}  {}", hang(&text, 84, 16));
        }
    };
    line("effect", info.effect.clone());
    let mut when = format!("since {}", info.first);
    if let Some(until) = info.until {
        when = format!("{when}, until {until}");
    }
    if !info.arches.is_empty() {
        let elsewhere = info
            .elsewhere
            .map_or("never elsewhere".into(), |r| format!("elsewhere since {r}"));
        when = format!("{when} on {}; {elsewhere}", info.arches.join(", "));
    }
    line("releases", when);
    let branches = |of: &[cowherd_model::kernels::Backport]| {
        let list: Vec<String> = of.iter().map(|b| b.to_string()).collect();
        list.join(", ")
    };
    line("backports", branches(&info.backports));
    line("reverted in", branches(&info.reverts));
    for commit in &info.commits {
        let role = match commit.role {
            Role::Introduction => "commit",
            Role::Removal => "removed by",
        };
        let id = commit.id.as_deref().unwrap_or("(id not known)");
        let sure = if commit.confirmed {
            ""
        } else {
            " (from memory)"
        };
        line(role, format!("{id} \"{}\"{sure}", commit.subject));
    }
    if let Some(rule) = &info.rule {
        line("function", rule.function.clone());
        line("without it", rule.mutant.clone());
    }
    let needs = |needs: &[cowherd_model::kernels::Need]| {
        let list: Vec<String> = needs.iter().map(|n| n.to_string()).collect();
        list.join(", ")
    };
    line("group", info.group.clone().unwrap_or_default());
    line("needs", needs(&info.needs));
    line("idle without", needs(&info.idle_without));
    line("note", info.note.clone().unwrap_or_default());
    if let Status::Unmodelled { why } = &info.status {
        let _ = writeln!(out, "  {}", paint(WARN, format!("not modelled: {why}")));
    }
    out
}

fn as_json(info: &FeatureInfo) -> serde_json::Value {
    json!({
        "name": info.name,
        "modelled": info.feature().is_some(),
        "first": info.first.to_string(),
        "until": info.until.map(|r| r.to_string()),
        "backports": info.backports.iter().map(|b| b.to_string()).collect::<Vec<_>>(),
        "reverts": info.reverts.iter().map(|b| b.to_string()).collect::<Vec<_>>(),
        "arches": info.arches,
        "elsewhere": info.elsewhere.map(|r| r.to_string()),
        "group": info.group,
        "needs": info.needs.iter().map(|n| n.to_string()).collect::<Vec<_>>(),
        "commits": info.commits.iter().map(|c| json!({
            "id": c.id, "subject": c.subject, "confirmed": c.confirmed, "removal": c.role == Role::Removal,
        })).collect::<Vec<_>>(),
        "effect": info.effect,
        "function": info.rule.as_ref().map(|r| r.function.clone()),
        "mutant": info.rule.as_ref().map(|r| r.mutant.clone()),
        "note": info.note,
    })
}

//! `cowherd kernels`

use std::fmt::Write as _;

use cowherd_mm::{Feature, FeatureSet};
use cowherd_model::kernels::{Kernels as Data, Profile};
use cowherd_report::style::{BOLD, DIM, NAME, hang, paint, wrap};
use serde_json::json;

use crate::cli::Kernels;
use crate::commands::list::pretty;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal;

pub fn run(args: &Kernels) -> Result<Exit, Failure> {
    let data = Data::shipped();
    let text = match (&args.profile, args.json) {
        (None, false) => all(data),
        (None, true) => pretty(&all_json(data))?,
        (Some(word), false) => one(data, &input::profile(word)?),
        (Some(word), true) => pretty(&one_json(&input::profile(word)?))?,
    };
    terminal::print(&text)?;
    Ok(Exit::Fine)
}

/// Every kernel that has a name.
fn all(data: &Data) -> String {
    let mut out = String::new();
    let list = |profiles: &mut dyn Iterator<Item = String>| {
        let names: Vec<String> = profiles.collect();
        format!("  {}\n", wrap(&names.join(" "), 98, 2))
    };
    let _ = writeln!(
        out,
        "{}",
        paint(BOLD, "The matrix, which is checked by default")
    );
    out += &list(&mut data.matrix().iter().map(|p| p.name.clone()));
    let _ = writeln!(out, "{}", paint(BOLD, "Mainline releases"));
    out += &list(&mut data.releases().map(|r| r.to_string()));
    let _ = writeln!(out, "{}", paint(BOLD, "Stable releases"));
    for stable in data.stable() {
        let name = paint(NAME, format!("{:<10}", stable.release.to_string()));
        let _ = writeln!(out, "  {name}  {}", stable.why);
    }
    let _ = writeln!(out, "{}", paint(BOLD, "With a name of their own"));
    for named in data.named() {
        let name = paint(NAME, format!("{:<10}", named.name));
        let text = hang(&format!("{}: {}", named.is, named.why), 84, 14);
        let _ = writeln!(out, "  {name}  {text}");
    }
    let _ = writeln!(out, "{}", paint(BOLD, "Architectures: v5.19/NAME"));
    out += &list(&mut data.arches().iter().map(|a| a.name.clone()));
    let _ = writeln!(
        out,
        "{}",
        paint(
            DIM,
            "Any of them can be changed by features: v5.18+swp_exclusive, v6.1-unshare, v5.18+1493a1913e34."
        )
    );
    out
}

fn all_json(data: &Data) -> serde_json::Value {
    json!({
        "schema": cowherd_report::json::SCHEMA,
        "matrix": data.matrix().iter().map(|p| p.name.clone()).collect::<Vec<_>>(),
        "mainline": data.releases().map(|r| r.to_string()).collect::<Vec<_>>(),
        "stable": data.stable().iter().map(|s| s.release.to_string()).collect::<Vec<_>>(),
        "named": data.named().iter().map(|n| json!({ "name": n.name, "is": n.is, "why": n.why })).collect::<Vec<_>>(),
        "arches": data.arches().iter().map(|a| a.name.clone()).collect::<Vec<_>>(),
    })
}

/// One kernel: what it has, and what is new in it.
fn one(data: &Data, profile: &Profile) -> String {
    let mut out = String::new();
    let kind = if profile.published {
        String::new()
    } else {
        format!(", changed from {}", profile.release)
    };
    let _ = writeln!(
        out,
        "{}  on {}{kind}",
        paint(BOLD, &profile.name),
        profile.arch.name
    );
    if let Some((name, features)) = before(data, profile) {
        section(
            &mut out,
            data,
            &format!("New since {name}"),
            profile.features.difference(features),
        );
        section(
            &mut out,
            data,
            &format!("Gone since {name}"),
            features.difference(profile.features),
        );
    }
    let names = |rules: bool| {
        let list: Vec<&str> = profile
            .features
            .iter()
            .filter(|f| data.feature(*f).rule.is_some() == rules)
            .map(Feature::name)
            .collect();
        wrap(&list.join(" "), 98, 2)
    };
    let _ = writeln!(out, "{}\n  {}", paint(BOLD, "Features"), names(false));
    let _ = writeln!(
        out,
        "{}\n  {}",
        paint(BOLD, "Rules that were always there"),
        names(true)
    );
    let unmodelled: Vec<&str> = data
        .features()
        .iter()
        .filter(|info| info.feature().is_none() && info.is_in(profile.release, &profile.arch))
        .map(|info| info.name.as_str())
        .collect();
    if !unmodelled.is_empty() {
        let _ = writeln!(
            out,
            "{}\n  {}",
            paint(BOLD, "In the release, and not modelled"),
            wrap(&unmodelled.join(" "), 98, 2)
        );
    }
    out
}

fn section(out: &mut String, data: &Data, title: &str, features: FeatureSet) {
    if features.iter().next().is_none() {
        return;
    }
    let _ = writeln!(out, "{}", paint(BOLD, title));
    for feature in features.iter() {
        let name = format!("{:<22}", feature.name());
        let _ = writeln!(
            out,
            "  {}  {}",
            paint(NAME, name),
            hang(&data.feature(feature).effect, 74, 26)
        );
    }
}

/// What a kernel is compared with: the release that it changes, the mainline release that it continues, or the release before.
fn before(data: &Data, profile: &Profile) -> Option<(String, FeatureSet)> {
    let name = if !profile.published {
        format!("{}/{}", profile.release, profile.arch.name)
    } else if profile.release.is_stable() {
        format!("{}/{}", profile.release.mainline(), profile.arch.name)
    } else {
        let previous = data
            .releases()
            .take_while(|r| *r < profile.release)
            .last()?;
        format!("{previous}/{}", profile.arch.name)
    };
    let other = data.profile(&name).ok()?.profile;
    Some((other.name.clone(), other.features))
}

fn one_json(profile: &Profile) -> serde_json::Value {
    json!({
        "schema": cowherd_report::json::SCHEMA,
        "name": profile.name,
        "release": profile.release.to_string(),
        "arch": profile.arch.name,
        "published": profile.published,
        "features": profile.features.iter().map(Feature::name).collect::<Vec<_>>(),
    })
}

//! axe-core: names, roles, contrast.

use std::path::PathBuf;

use crate::driver::{Browser, Scheme};

/// Nothing on the page as it is now breaks a rule of axe-core, in light and in dark.
pub fn check(browser: &Browser, what: &str) {
    let folder = std::env::var_os("COWHERD_AXE").map_or_else(
        || crate::root().join("target/axe/node_modules/axe-core"),
        PathBuf::from,
    );
    let source = std::fs::read_to_string(folder.join("axe.min.js"))
        .expect("axe-core is installed, and COWHERD_AXE names its folder");
    browser.run(&source);
    for scheme in [Scheme::Dark, Scheme::Light] {
        browser.prefer(scheme);
        let broken = browser.run(
            "return axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => \
             v.id + ': ' + v.help + '\\n' + v.nodes.slice(0, 5).map((n) => '    ' + n.html.slice(0, 160) + '\\n    ' + n.failureSummary).join('\\n')))",
        );
        let broken: Vec<&str> = broken
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|v| v.as_str())
            .collect();
        assert!(
            broken.is_empty(),
            "{what}, {scheme:?}:\n{}",
            broken.join("\n")
        );
    }
}

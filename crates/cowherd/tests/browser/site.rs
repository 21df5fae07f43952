//! The site: the matrix is filtered, and a cell leads to its witness.

use std::fs;

use crate::driver::Browser;
use crate::{axe, bless, cowherd};

const REAL: &str = r#"{ "schema": 1, "results": [
    { "test": "odirect-swap", "kernel": "5.18.19", "profile": "v5.18", "verdict": "Sometimes",
      "histogram": [ { "values": ["A:x[0]=0"], "runs": 3 }, { "values": ["A:x[0]=7"], "runs": 97 } ] },
    { "test": "odirect-swap", "kernel": "6.1.0", "profile": "v5.19", "verdict": "Sometimes", "histogram": [] } ] }"#;

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn the_matrix_is_filtered_and_leads_to_witnesses() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real.json");
    fs::write(&real, REAL).unwrap();
    let site = folder.path().join("site");
    let (out, real) = (site.to_str().unwrap(), real.to_str().unwrap());
    let kernels = [
        "v4.19", "v5.8", "v5.10", "v5.17", "v5.18", "part2", "v5.19", "v6.1", "v6.6", "v7.2",
    ];
    let mut args = vec![
        "report",
        "-o",
        out,
        "--conformance",
        real,
        "direct-io",
        "pins",
        "basics",
    ];
    kernels.iter().for_each(|k| args.extend(["-k", k]));
    cowherd(&args);
    let browser = Browser::start(1280, 800);
    let index = site.join("index.html");
    browser.open_file(&index, "");
    axe::check(&browser, "the matrix");
    browser.resize(1000, 760);
    bless(&browser.screenshot("matrix"), "matrix.png");
    browser.resize(1280, 800);
    let shown = || {
        browser.text(
        "return [...document.querySelectorAll('tr[data-name]')].filter((r) => r.offsetParent).map((r) => r.dataset.name).join(' ')",
    )
    };
    let set = |id: &str, value: &str| {
        browser.run(&format!(
            "const c = document.getElementById('{id}'); c.value = '{value}'; c.dispatchEvent(new Event('input', {{ bubbles: true }}))"
        ));
    };
    browser.type_into("#name", "odirect-swap");
    assert_eq!(
        shown(),
        "odirect-swap-block odirect-swap-steps odirect-swap-write odirect-swap"
    );
    set("name", "");
    set("theme", "basics");
    assert!(
        !shown().contains("odirect") && !shown().is_empty(),
        "{}",
        shown()
    );
    set("theme", "");
    set("feature", "swp_exclusive");
    assert!(shown().contains("odirect-swap"), "{}", shown());
    set("feature", "");
    set("kernel", "v5.18");
    set("verdict", "sometimes");
    set("kind", "lost-write");
    assert!(
        shown().split(' ').any(|name| name == "odirect-swap"),
        "{}",
        shown()
    );
    let heads = browser.run(
        "return [...document.querySelectorAll('thead .k')].filter((h) => h.offsetParent).length",
    );
    assert_eq!(heads, 1);
    // The address says what is chosen.
    let hash = browser.text("return location.hash");
    assert_eq!(hash, "#kind=lost-write&kernel=v5.18&verdict=sometimes");
    let chosen = shown();
    browser.open("about:blank");
    browser.open_file(&index, &hash);
    assert_eq!(shown(), chosen);
    browser.click("button[type=reset]");
    browser.wait("document.querySelectorAll('tr.away').length === 0");
    // What real kernels did stands in the cells.
    let cell = |column: usize| {
        browser.text(&format!(
            "const c = document.querySelector('tr[data-name=\"odirect-swap\"] td[data-column=\"{column}\"]'); \
             return c.textContent.trim() + c.querySelector('sup').dataset.sign"
        ))
    };
    assert_eq!(
        (cell(4).as_str(), cell(6).as_str()),
        ("S\u{25CF}", "N\u{2716}")
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.click("tr[data-name='odirect-swap'] td[data-column='4'] a");
    browser.wait("document.querySelector('h1').textContent.startsWith('odirect-swap on v5.18')");
    for page in [
        "tests/odirect-swap.html",
        "features.html",
        "features/swp_exclusive.html",
    ] {
        browser.open_file(&site.join(page), "");
        axe::check(&browser, page);
        browser.screenshot(&page.replace('/', "-").replace(".html", ""));
    }
    let shortest = browser.text("return document.querySelector('main').textContent");
    assert!(
        shortest.contains("mm/swap: remember PG_anon_exclusive via a swp pte bit"),
        "{shortest}"
    );
    assert!(
        shortest.contains("The shortest program that shows it"),
        "{shortest}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn every_link_of_the_site_leads_to_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    cowherd(&[
        "report",
        "-o",
        site.to_str().unwrap(),
        "swap",
        "-k",
        "v5.18",
        "-k",
        "v5.19",
    ]);
    let mut pages = vec![site.join("index.html")];
    let mut at = 0;
    let mut links = 0;
    while let Some(page) = pages.get(at).cloned() {
        at += 1;
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("href=\"").skip(1) {
            let link = link.split(['"', '#']).next().unwrap();
            if link.is_empty() {
                continue;
            }
            let target = page.parent().unwrap().join(link).canonicalize();
            let target = target.unwrap_or_else(|e| panic!("{link} in {}: {e}", page.display()));
            links += 1;
            if !pages.contains(&target) {
                pages.push(target);
            }
        }
    }
    assert!(
        links > 100 && pages.len() > 100,
        "{links} links, {} pages",
        pages.len()
    );
}

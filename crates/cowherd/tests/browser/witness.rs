//! The witness page: the mail's counterexample, stepped to the end.

use crate::driver::Browser;
use crate::{axe, bless, write};

/// The keys of the keyboard, as WebDriver writes them.
const LEFT: &str = "\u{E012}";
const RIGHT: &str = "\u{E014}";
const DOWN: &str = "\u{E015}";
const HOME: &str = "\u{E011}";
const END: &str = "\u{E010}";

/// What is highlighted on a card.
fn marks(browser: &Browser, id: &str) -> String {
    browser.text(&format!(
        "return [...document.querySelectorAll(`[data-id=\"{id}\"] mark, [data-id=\"{id}\"] .cells .new`)].map((m) => m.textContent).join(' | ')"
    ))
}

/// What the step says.
fn said(browser: &Browser) -> String {
    browser.text("return document.getElementById('said').textContent")
}

/// The arrows of a kind, as `from -> to`.
fn arrows(browser: &Browser, kind: &str) -> String {
    browser.text(&format!(
        "return [...document.querySelectorAll('.arrows > path.{kind}')].map((p) => p.dataset.from + ' -> ' + p.dataset.to).join(', ')"
    ))
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn the_mails_witness_is_stepped_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        "lost.html",
        &["explain", "odirect-swap", "-k", "v5.18", "--format", "html"],
    );
    let browser = Browser::start(1280, 800);
    browser.open_file(&file, "");
    axe::check(&browser, "the witness at its start");
    let last: usize = browser
        .run("return document.querySelectorAll('[data-row]').length")
        .as_u64()
        .unwrap() as usize;
    let mut seen = Vec::new();
    let mut see = |what: &'static str| {
        if !seen.contains(&what) {
            seen.push(what);
        }
    };
    for step in 1..=last {
        browser.press(RIGHT);
        let row = browser.text("return document.querySelector('[aria-current=step]').id");
        assert_eq!(row, format!("s{step}"));
        assert_eq!(browser.text("return location.hash"), format!("#{step}"));
        let text = said(&browser);
        if text.contains("Takes a FOLL_GET|FOLL_WRITE reference on page 1") {
            assert!(
                marks(&browser, "page 1").contains("1 became  \u{2192} 2"),
                "{}",
                marks(&browser, "page 1")
            );
            see("the reference of the transfer");
        }
        if marks(&browser, "A:x").ends_with("\u{2192} swap slot 0") {
            assert_eq!(arrows(&browser, "fresh"), "A:x -> slot 0");
            assert!(
                browser
                    .text("return document.querySelector('[data-id=\"page 1\"]').textContent")
                    .contains("only in the swap cache")
            );
            see("the swap entry");
        }
        if marks(&browser, "A:x").ends_with("\u{2192} page 1 R/O") {
            assert!(text.contains("read-only from the swap cache"), "{text}");
            see("mapped read-only");
        }
        if marks(&browser, "A:x").ends_with("\u{2192} page 2 W dirty") {
            assert!(
                text.contains("Copies page 1 to page 2 and maps that"),
                "{text}"
            );
            assert_eq!(arrows(&browser, "wrong"), "io 0 -> page 1");
            assert_eq!(
                browser.text("return document.querySelector('.lost').dataset.id"),
                "page 1"
            );
            see("the copy");
            axe::check(&browser, "the witness after the copy");
        }
        if text.contains("lost-write") && step < last {
            assert!(
                text.contains("Writes x[0]=7 into page 1, which no page table maps"),
                "{text}"
            );
            assert!(marks(&browser, "page 1").contains("\u{2192} 7"));
            assert_eq!(arrows(&browser, "wrong"), "io 0 -> page 1");
            assert!(
                browser
                    .text("return document.querySelector('.lost .tag').textContent")
                    .contains("nobody maps it")
            );
            see("the lost write");
            browser.resize(1120, 760);
            bless(&browser.screenshot("witness"), "witness.png");
            browser.resize(1280, 800);
        }
    }
    let expected = [
        "the reference of the transfer",
        "the swap entry",
        "mapped read-only",
        "the copy",
        "the lost write",
    ];
    assert_eq!(seen, expected);
    let why = browser.text("return document.querySelector('.why').textContent");
    for part in [
        "the device writes x[0]=7 into page 1",
        "copies page 1 to page 2",
        "Since then A:x is page 2, which holds A:x[0]=0",
    ] {
        assert!(why.contains(part), "{why}");
    }
    browser.screenshot("witness-end");
    axe::check(&browser, "the witness at its end");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn keys_links_and_the_slider_move_and_things_hide() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        "lost.html",
        &["explain", "odirect-swap", "-k", "v5.18", "--format", "html"],
    );
    let browser = Browser::start(1280, 800);
    browser.open_file(&file, "#12");
    let at = || browser.text("return document.querySelector('[aria-current=step]')?.id ?? 'none'");
    assert_eq!(at(), "s12");
    browser.press(LEFT);
    assert_eq!(at(), "s11");
    browser.press(HOME);
    assert_eq!(at(), "none");
    // The end of the first call.
    browser.press(DOWN);
    let group =
        browser.text("return document.querySelector('.groups > li .steps > li:last-child').id");
    assert_eq!(at(), group);
    browser.press(END);
    assert_eq!(
        browser.run("return document.getElementById('next').disabled"),
        true
    );
    browser.run("const s = document.getElementById('slider'); s.value = 5; s.dispatchEvent(new Event('input'))");
    assert_eq!(at(), "s5");
    browser.click("a[href='#7']");
    browser.wait("document.querySelector('[aria-current=step]').id === 's7'");
    // A hidden lane is passed over, and a hidden field is not there.
    browser.run("document.querySelector('.show').open = true");
    browser.click("[data-lane='2'][type=checkbox]");
    let before = browser.run("return document.querySelectorAll('.groups > li.away').length");
    assert_ne!(before, 0);
    browser.press(RIGHT);
    assert_eq!(
        browser.run("return document.querySelector('[aria-current=step]').offsetParent !== null"),
        true
    );
    assert_ne!(arrows(&browser, "tlb"), "");
    browser.click("[data-field='tlb']");
    assert_eq!(arrows(&browser, "tlb"), "");
    axe::check(&browser, "the witness with its menu");
    browser.run("document.querySelector('.show').open = false");
    browser.click("#play");
    browser.wait("document.querySelector('[aria-current=step]').id !== 's8'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium and chromium-driver"]
fn two_kernels_part_where_the_rule_says() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "explain",
        "odirect-swap",
        "-k",
        "v5.19",
        "--why-not",
        "--format",
        "html",
    ];
    let file = write(folder.path(), "two.html", &args);
    let browser = Browser::start(1600, 900);
    browser.open_file(&file, "");
    let part = browser.text("return document.querySelector('.part').textContent");
    assert!(part.contains("The rule: swp_exclusive"), "{part}");
    let next = browser.text("return document.querySelector('.part').nextElementSibling.id");
    let step: usize = next[1..].parse().unwrap();
    let pte = |side: usize| {
        browser.text(&format!(
            "return document.querySelector('#memory{side} [data-id=\"A:x\"] .value').textContent"
        ))
    };
    browser.open_file(&file, &format!("#{}", step - 1));
    browser.wait(&format!(
        "document.querySelector('[aria-current=step]').id === 's{}'",
        step - 1
    ));
    assert_eq!(pte(0), pte(1));
    browser.press(RIGHT);
    assert!(pte(0).ends_with("swap slot 0"), "{}", pte(0));
    assert!(pte(1).ends_with("swap slot 0 exclusive"), "{}", pte(1));
    browser.screenshot("two-kernels");
    axe::check(&browser, "two kernels");
    browser.press(END);
    let ends = browser.text(
        "return [...document.querySelectorAll('.why')].map((w) => w.textContent).join('\\n')",
    );
    assert!(
        ends.contains("part2: A:x[0]=0") && ends.contains("v5.19: A:x[0]=7"),
        "{ends}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

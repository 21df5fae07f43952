//! The stories of the direct read that is lost, in every form, and what keeps it from being lost.

use serde_json::Value;

use crate::{Cowherd, Ran};

fn explain(arguments: &str) -> Ran {
    Cowherd::new().run(&format!("explain {arguments}")).ends(0)
}

#[test]
fn the_lost_read_of_the_mail_as_a_story() {
    insta::assert_snapshot!(explain("odirect-swap -k v5.10").out);
}

#[test]
fn the_lost_read_of_the_mail_in_columns() {
    let ran = explain("odirect-swap -k v5.10 --format columns");
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80));
    insta::assert_snapshot!(ran.out);
}

#[test]
fn the_lost_read_of_the_mail_as_a_diagram() {
    insta::assert_snapshot!(explain("odirect-swap -k v5.10 --format mermaid").out);
}

#[test]
fn the_lost_read_of_the_mail_as_data() {
    let ran = explain("odirect-swap -k v5.10 --format json");
    let trace: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(trace["schema"].is_number());
    let steps = trace["steps"].as_array().unwrap();
    let field = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_string();
    let told: Vec<String> = steps
        .iter()
        .map(|step| format!("{:8} {}", field(step, "label"), field(step, "function")))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn from_5_18_a_store_alone_is_enough() {
    insta::assert_snapshot!(explain("odirect-swap-write -k v5.18").out);
}

#[test]
fn up_to_5_17_it_is_not() {
    explain("odirect-swap-write -k v5.17").says("it does not happen");
}

#[test]
fn what_keeps_5_19_from_it() {
    insta::assert_snapshot!(explain("odirect-swap -k v5.19 --why-not").out);
}

#[test]
fn a_kind_of_violation_has_a_story_too() {
    explain("odirect-swap -k v5.10 --kind lost-write").says("breaks: lost-write");
    explain("odirect-swap -k v5.10 --kind leak").says("does not happen");
}

#[test]
fn a_trace_is_stepped_again_on_its_kernel() {
    let trace = explain("odirect-swap -k v5.10 --format json").out;
    let c = Cowherd::new().with("trace.json", &trace);
    c.run("replay trace.json")
        .ends(0)
        .says("the schedule of v5.10 is the same here")
        .says("In the end: A:x[0]=0.");
}

#[test]
fn a_trace_parts_from_a_kernel_that_mended_it() {
    let trace = explain("odirect-swap -k v5.18 --format json").out;
    let c = Cowherd::new().with("trace.json", &trace);
    insta::assert_snapshot!(c.run("replay trace.json -k v5.19").ends(0).out);
}

#[test]
fn a_damaged_trace_is_2() {
    let trace = explain("odirect-swap -k v5.10 --format json").out;
    let cut = &trace[..trace.len() / 2];
    let other = trace.replacen("\"schema\": ", "\"schema\": 99", 1);
    let torn = trace.replacen("MM odirect-swap", "MM ?", 1);
    for damaged in [cut, &other, &torn, "", "[]"] {
        let c = Cowherd::new().with("trace.json", damaged);
        let ran = c.run("replay trace.json").ends(2);
        assert!(!ran.err.is_empty());
    }
    Cowherd::new().run("replay nowhere.json").ends(2);
}

#[test]
fn a_trace_whose_steps_were_changed_is_no_schedule() {
    let trace = explain("odirect-swap -k v5.10 --format json").out;
    let mut trace: Value = serde_json::from_str(&trace).unwrap();
    trace["steps"].as_array_mut().unwrap().remove(1);
    let c = Cowherd::new().with("trace.json", &trace.to_string());
    let ran = c.run("replay trace.json");
    assert!(!ran.out.contains("is the same here, all"), "{}", ran.out);
}

#[test]
fn the_lost_read_on_5_18() {
    insta::assert_snapshot!(explain("odirect-swap -k v5.18").out);
}

/// No entry of a story is without text, not even a call that changes nothing, or one that is cut where nobody sees it.
#[test]
fn every_entry_of_a_story_says_something() {
    let stories = [
        "bypass -k v4.19",
        "exit -k v4.19",
        "wp-deferred-flush -k v5.10",
        "fork-dontfork -k v4.19",
        "free-clean-bypass -k v4.19",
        "h1-fork -k v5.10",
    ];
    for story in stories {
        let out = explain(story).out;
        let lines: Vec<&str> = out.lines().collect();
        for pair in lines.windows(2) {
            let number = pair[0].trim_start().split_once(". ");
            let entry = number.is_some_and(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()));
            let said = pair[1].starts_with("    ") && !pair[1].starts_with("     ");
            assert!(!entry || said, "{story}: {}\n{out}", pair[0]);
        }
    }
}

#[test]
fn a_fault_that_userfaultfd_traps_is_told() {
    explain("unmerge-uffd -k v4.19").says("the fault is userfaultfd's");
}

#[test]
fn a_translation_that_allows_more_than_its_pte_is_told() {
    explain("wp-deferred-flush -k v5.10").says("a TLB entry that is still writable");
}

#[test]
fn a_transfer_into_a_page_of_another_process_says_whose() {
    let ran = explain("h1-fork -k v5.10").says("which only B:x maps now");
    let first = ran.out.lines().next();
    assert_eq!(first, Some("h1-fork on v5.10: P0:r0=0; hazard(H1)"));
}

#[test]
fn gup_that_breaks_cow_has_no_read_fault() {
    let ran = explain("vmsplice -k v5.8 --why-not").says("write fault cannot reuse page 1");
    assert!(!ran.out.contains("read fault"), "{}", ran.out);
}

/// The TLBs are flushed, then the page is freed: one step does both.
#[test]
fn a_page_is_freed_after_the_flush() {
    let out = explain("reclaim-stale-load -k v4.19").out;
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let at = |text: &str| out.find(text).unwrap_or_else(|| panic!("no {text}: {out}"));
    assert!(at("flushes x from the TLB of CPU 1") < at("page 1 is freed"));
}

/// On no kernel of the matrix, and on one that a `Result:` line names.
#[test]
fn the_kernel_is_looked_for_in_the_result_lines_too() {
    explain("wp-nested").says("wp-nested on v5.8-tlb_flush_nested");
}

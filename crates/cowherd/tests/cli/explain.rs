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

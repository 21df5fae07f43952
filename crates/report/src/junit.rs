//! Results as JUnit XML: a suite a test, a case a kernel.

use cowherd_litmus::Diagnostic;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::checked::{Checked, Row, Standing};
use crate::table::ended;

/// The XML.
///
/// # Errors
///
/// If it cannot be written; what there is to write is text, so it can.
pub fn junit(tests: &[Checked]) -> Result<String, Box<dyn std::error::Error>> {
    let mut report = Report::new("cowherd");
    for checked in tests {
        let mut suite = TestSuite::new(checked.title.as_str());
        for row in &checked.rows {
            let mut case = TestCase::new(row.profile.name.as_str(), status(row));
            case.set_classname(checked.title.as_str());
            if let Some(run) = row.run() {
                case.set_time(run.elapsed);
            }
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

/// In place of the results: a case for each thing that is wrong with tests that cannot be read.
///
/// # Errors
///
/// As [`junit`].
pub fn errors(all: &[Diagnostic]) -> Result<String, Box<dyn std::error::Error>> {
    let mut report = Report::new("cowherd");
    let mut suite = TestSuite::new("tests that cannot be read");
    for d in all {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_message(d.message.as_str())
            .set_type(d.code.as_str());
        let place = format!("{}:{}:{}", d.source, d.line, d.column);
        suite.add_test_case(TestCase::new(place, status));
    }
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

fn status(row: &Row) -> TestCaseStatus {
    let bad = |kind, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message);
        status
    };
    match row.standing() {
        Standing::Expected | Standing::Open => TestCaseStatus::success(),
        Standing::Undetermined => {
            let mut status = TestCaseStatus::skipped();
            let why = row.run().map_or("not run".into(), ended);
            status.set_message(format!("undetermined: {why}"));
            status
        }
        Standing::Wrong => bad(
            NonSuccessKind::Error,
            match &row.result {
                Some(Err(refused)) => refused.to_string(),
                _ => "no execution ends".into(),
            },
        ),
        Standing::Differs => bad(
            NonSuccessKind::Failure,
            format!(
                "{}, expected `{}`",
                row.verdict(),
                row.expected
                    .as_ref()
                    .map_or(String::new(), |e| e.text.clone())
            ),
        ),
    }
}

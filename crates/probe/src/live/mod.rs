//! How a test runs on the live kernel.

use cowherd_litmus::ast::Test;
use serde::{Deserialize, Serialize};

/// How to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Options {}

/// What a test gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TestResult {
    /// The test.
    pub name: String,
    /// Why it did not run.
    pub skipped: Option<String>,
}

/// Runs a test on the kernel under this process.
pub fn run(test: &Test, _options: &Options) -> TestResult {
    TestResult {
        name: test.name.clone(),
        skipped: Some("cowherd cannot run tests on a live kernel yet".into()),
    }
}

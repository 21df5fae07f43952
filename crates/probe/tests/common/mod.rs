//! What tests look for outside of the repository: kernels and source trees that `scripts/fetch-kernels` fetched.

use std::path::{Path, PathBuf};

/// The folder of a series: below the folder that `variable` names, or `target/KIND`. One that is not there is named and not tested; it
/// is a failure if `COWHERD_NEEDED` lists the series, as it does where the caller has fetched them.
pub fn fetched(kind: &str, variable: &str, series: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let all = std::env::var_os(variable).map_or(default.join(kind), PathBuf::from);
    let folder = all.join(series);
    // What the script writes last.
    if folder.join("version").is_file() {
        return Some(folder);
    }
    let what = format!("{} (scripts/fetch-kernels)", folder.display());
    assert!(!needed(series), "missing: {what}");
    eprintln!("missing, so not tested: {what}");
    None
}

/// Must this series be there?
pub fn needed(series: &str) -> bool {
    let needed = std::env::var("COWHERD_NEEDED").unwrap_or_default();
    needed.split_whitespace().any(|word| word == series)
}

//! The pages in a real browser. Needs Debian's `chromium` and `chromium-driver`, and axe-core from npm, whose folder `COWHERD_AXE` names;
//! `.ci/run` installs them and runs these tests by `--ignored`. Screenshots are left in `target/pictures`.

mod axe;
mod driver;
mod playground;
mod site;
mod witness;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// Runs cowherd.
pub fn cowherd(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_cowherd"))
        .args(args)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    output
}

/// Writes what cowherd prints into a file of this folder.
pub fn write(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, cowherd(args).stdout).unwrap();
    path
}

/// With `COWHERD_BLESS` set, a screenshot becomes a picture of README.md.
pub fn bless(screenshot: &Path, name: &str) {
    if std::env::var_os("COWHERD_BLESS").is_some() {
        let folder = root().join("docs/images");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(screenshot, folder.join(name)).unwrap();
    }
}

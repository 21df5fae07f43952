//! Source trees that are none, parts of one, or a mixture that no release is.

use std::fs;
use std::path::{Path, PathBuf};

use cowherd_mm::Feature;
use cowherd_model::kernels::Kernels;
use cowherd_probe::detect::look::Found;
use cowherd_probe::detect::source::{Detected, detect};
use cowherd_probe::detect::tree::Tree;

/// A folder with these files, gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let path =
            std::env::temp_dir().join(format!("cowherd-trees-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Folder(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn detected(folder: &Folder) -> Detected {
    let kernels = Kernels::shipped();
    let tree = Tree::open(folder.path()).unwrap();
    detect(kernels, &tree, kernels.default_arch())
}

fn found(detected: &Detected, feature: Feature) -> &Found {
    let looked = detected.looked.iter().find(|l| l.feature == feature);
    &looked.unwrap().found
}

const MAKEFILE: &str = "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\n";
const MPROTECT: &str = "\
static unsigned long change_pte_range(void)
{
	flush_tlb_batched_pending(vma->vm_mm);
}
";

#[test]
fn a_folder_that_is_no_tree_is_refused_with_a_guess() {
    let none = Folder::new("none", &[("README", "hello")]);
    let message = Tree::open(none.path()).unwrap_err().to_string();
    assert!(message.contains("no Linux source tree"), "{message}");

    let above = Folder::new("above", &[("linux-6.1/mm/memory.c", "")]);
    let message = Tree::open(above.path()).unwrap_err().to_string();
    assert!(
        message.contains("did you mean") && message.contains("linux-6.1"),
        "{message}"
    );

    let bare = Folder::new(
        "bare",
        &[("HEAD", "ref: refs/heads/master"), ("objects/x", "")],
    );
    let message = Tree::open(bare.path()).unwrap_err().to_string();
    assert!(message.contains("git worktree"), "{message}");

    let message = Tree::open(Path::new("/nonexistent"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("No such file"), "{message}");
}

#[test]
fn what_a_part_of_a_tree_lacks_cannot_be_told() {
    let folder = Folder::new(
        "part",
        &[
            ("Makefile", MAKEFILE),
            ("mm/Makefile", "obj-y := memory.o mprotect.o\n"),
            ("mm/mprotect.c", MPROTECT),
        ],
    );
    let detected = detected(&folder);
    assert!(
        matches!(found(&detected, Feature::BatchedFlush), Found::Present(p) if p.line == Some(3))
    );
    // mm/memory.c is missing although the Makefile builds it; fs/ is missing as a whole.
    for feature in [Feature::WpSwapfree, Feature::ClearrefsPinned] {
        assert!(
            matches!(found(&detected, feature), Found::CannotTell(_)),
            "{feature:?}"
        );
    }
    // What is not known is taken as in the nearest kernel.
    let taken = detected.features.contains(Feature::WpSwapfree);
    assert_eq!(taken, detected.nearest.has(Feature::WpSwapfree));
}

#[test]
fn a_file_that_the_kernel_does_not_have_is_an_answer() {
    let files = [
        ("Makefile", MAKEFILE),
        ("mm/Makefile", "obj-y := memory.o\n"),
        ("mm/memory.c", ""),
    ];
    let detected = detected(&Folder::new("no-file", &files));
    assert!(matches!(
        found(&detected, Feature::TlbFlushNested),
        Found::Absent(_)
    ));
}

#[test]
fn a_remark_is_no_feature() {
    let files = [
        ("Makefile", MAKEFILE),
        (
            "mm/gup.c",
            "/* should_force_cow_break() is gone */\nint x;\n",
        ),
    ];
    let detected = detected(&Folder::new("remark", &files));
    assert!(matches!(
        found(&detected, Feature::GupForceCow),
        Found::Absent(_)
    ));
}

#[test]
fn in_a_newer_release_what_is_elsewhere_in_the_file_may_have_moved() {
    let moved = "\
static bool helper(void)
{
	flush_tlb_batched_pending(vma->vm_mm);
}

static unsigned long change_pte_range(void)
{
	helper();
}
";
    let tree = |version: &str| {
        let makefile = format!("VERSION = {version}\nPATCHLEVEL = 1\nSUBLEVEL = 0\n");
        let files = [("Makefile", makefile.as_str()), ("mm/mprotect.c", moved)];
        detected(&Folder::new(&format!("moved-{version}"), &files))
    };
    assert!(matches!(
        found(&tree("6"), Feature::BatchedFlush),
        Found::Absent(_)
    ));
    assert!(
        matches!(found(&tree("99"), Feature::BatchedFlush), Found::CannotTell(why) if why.contains("moved"))
    );
}

#[test]
fn without_a_makefile_the_features_alone_decide() {
    let detected = detected(&Folder::new("bare-mm", &[("mm/mprotect.c", MPROTECT)]));
    assert_eq!(detected.version, None);
    assert!(matches!(
        found(&detected, Feature::BatchedFlush),
        Found::Present(_)
    ));
}

//! Is a test, whoever wrote it, the same program as another?

use cowherd_litmus::ast::{Attributes, Contents, Test};

use super::programs::normal;
use crate::kernels::Profile;
use crate::lower::{Refused, lower};

/// The normal form of a test's program and of the state that it starts in: the same for tests which differ only in the names of
/// threads, cells, variables, files, handles, registers and values, and in what they ask.
///
/// None: it starts in a state in which no program within a bound does, in which pages are present, writable and dirty.
pub fn same_program(test: &Test, profile: &Profile) -> Result<Option<String>, Refused> {
    let usual = test.pages.iter().all(|page| {
        let written = matches!(page.contents, Contents::Values(_) | Contents::Untouched);
        let as_left = Attributes {
            dirty: true,
            uffd: page.attributes.uffd,
            ..Attributes::default()
        };
        let untouched = Attributes {
            dirty: false,
            ..as_left.clone()
        };
        written && (page.attributes == as_left || page.attributes == untouched)
    });
    if !usual || test.frames.is_some() {
        return Ok(None);
    }
    let p = lower(test, profile, true)?;
    let actors: Vec<(usize, Vec<usize>)> = (0..p.tasks.len())
        .map(|task| (task, (0..p.tasks[task].stmts.len()).collect()))
        .collect();
    let cells = test.pages.iter().map(|page| page.cells).max().unwrap_or(1);
    let pages = test
        .pages
        .iter()
        .filter(|page| page.contents != Contents::Untouched)
        .count();
    let mut form = normal(&p, pages, cells as usize, &actors);
    // A cell that nobody else tells from another need not be named.
    if !form.contains("[1]") {
        form = form.replace("[0]", "");
    }
    let swaps = p.tasks.iter().any(|task| task.mm.is_none()) || form.contains("PAGEOUT");
    if swaps {
        form += &format!("\nswap {:?} {}", test.swap.device, test.swap.stable);
    }
    for file in &test.files {
        form += &format!("\nfile on {:?}", file.on);
    }
    for page in &test.pages {
        let untouched = matches!(page.contents, Contents::Untouched);
        if let Some(uffd) = page.attributes.uffd {
            form += &format!("\nregistered {uffd:?} {untouched}");
        }
    }
    Ok(Some(form))
}

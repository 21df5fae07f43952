//! Makes a program that fails smaller, as long as it fails.

use super::draft::{Draft, Line};

/// The smallest draft that this finds for which `fails` holds.
pub fn minimise(draft: &Draft, fails: impl Fn(&Draft) -> bool) -> Draft {
    let mut best = draft.clone();
    loop {
        let Some(smaller) = smaller(&best).into_iter().find(|d| fails(d)) else {
            return best;
        };
        best = smaller;
    }
}

/// Every draft that has one thing less.
fn smaller(draft: &Draft) -> Vec<Draft> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Draft)| {
        let mut other = draft.clone();
        change(&mut other);
        all.push(other);
    };
    for n in 0..draft.kernel.len() {
        with(&|d| drop(d.kernel.remove(n)));
        for at in 0..draft.kernel[n].len() {
            with(&|d| drop(d.kernel[n].remove(at)));
        }
    }
    for n in 1..draft.threads.len() {
        with(&|d| drop(d.threads.remove(n)));
    }
    for n in 0..draft.threads.len() {
        for lines in fewer(&draft.threads[n].1) {
            with(&|d| d.threads[n].1 = lines.clone());
        }
    }
    for n in 0..draft.attributes.len() {
        with(&|d| drop(d.attributes.remove(n)));
    }
    for n in 0..draft.decls.len() {
        with(&|d| drop(d.decls.remove(n)));
    }
    all
}

fn fewer(lines: &[Line]) -> Vec<Vec<Line>> {
    let mut all = Vec::new();
    for at in 0..lines.len() {
        let mut other = lines.to_vec();
        other.remove(at);
        all.push(other);
        // A handle goes with all its uses.
        if let Line::Plain(text) = &lines[at]
            && let Some((handle, _)) = text.split_once(" = ")
        {
            let uses = |line: &Line| matches!(line, Line::Plain(text) if text.contains(handle));
            all.push(lines.iter().filter(|l| !uses(l)).cloned().collect());
        }
        if let Line::Fork(child, body) = &lines[at] {
            for body in fewer(body) {
                let mut other = lines.to_vec();
                other[at] = Line::Fork(child.clone(), body);
                all.push(other);
            }
        }
    }
    all
}

//! What a walk begins with: how its pages are at the start, who descends from whom, what may be called, and where devices go.

use cowherd_mm::{MAX_IOS, MAX_SLOTS};

use crate::general::{Bound, Layout};

/// Pages that ksmd may merge, in pairs: so few that the count of a merged page has room.
const MERGED: usize = 8;

/// Pages to which devices go.
const FEW: usize = 4;

/// A program within a bound: some of its calls, and a layout.
pub(super) fn draw(bound: &Bound, random: &mut fastrand::Rng) -> (Bound, Layout) {
    // A walk that may do everything does nothing often. Without stores nothing can be lost.
    let mut allowed = bound.allowed.clone();
    allowed.retain(|word| matches!(*word, "store" | "fork") || random.u8(..4) > 0);
    let bound = Bound {
        allowed,
        ..bound.clone()
    };
    let slots = if bound.swap == "none" { 0 } else { MAX_SLOTS };
    // Half of the slots at most are taken at the start.
    let mut swapped = slots / 2;
    let pages = (0..bound.pages)
        .map(|page| declaration(&bound, page, &mut swapped, random))
        .collect();
    let parents = (0..bound.processes).map(|child| {
        let flat = random.bool();
        if flat {
            0
        } else {
            random.usize(..child.max(1))
        }
    });
    let parents = parents.collect();
    // Several processes have devices on the same few pages.
    let few: Vec<usize> = (0..FEW).map(|_| random.usize(..bound.pages)).collect();
    let mut devices = Vec::new();
    for n in 0..MAX_IOS {
        let device = (random.usize(..bound.processes), few[n % FEW]);
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    let mut pairs: Vec<usize> = (0..bound.pages / 2).collect();
    random.shuffle(&mut pairs);
    let merged = pairs.iter().take(MERGED).map(|n| (2 * n, 2 * n + 1));
    let layout = Layout {
        pages,
        parents,
        devices,
        merged: merged.collect(),
        slots: (slots > 0).then_some(slots as u8),
    };
    (bound, layout)
}

/// How a page is at the start. Most were touched and no more.
fn declaration(
    bound: &Bound,
    page: usize,
    swapped: &mut usize,
    random: &mut fastrand::Rng,
) -> String {
    let name = Bound::page(page);
    let cells = bound.cells;
    let attributes = match random.u8(..16) {
        0 => return format!("anon {name}[{cells}];"),
        1 => return format!("anon {name}[{cells}] zero;"),
        // As after a swap-in by a load.
        2 if *swapped > 0 => " clean, cached",
        3 => " nonexclusive",
        4 => " wrprotected",
        5 if bound.allows("clear_refs") => " tracked",
        6 | 7 if *swapped > 0 => " swapped",
        8 if *swapped > 0 => " swapped, cached",
        9 if *swapped > 0 => " cached",
        _ => "",
    };
    *swapped -= usize::from(attributes.contains("swapped") || attributes.contains("cached"));
    // Few values: the others are for stores.
    let values: Vec<String> = (0..cells)
        .map(|cell| (1 + (page + cell) % 3).to_string())
        .collect();
    format!(
        "anon {name}[{cells}] = {{ {} }}{attributes};",
        values.join(", ")
    )
}

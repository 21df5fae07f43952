//! What a step does, told from what it changed alone. Serves every path that has no phrase of its own.

use cowherd_model::diff::Change;

use super::memory::{Memory, page_of_pte};

/// The changes that are worth a sentence.
pub fn changes(all: &[Change], before: &Memory, after: &Memory) -> Option<String> {
    let said: Vec<String> = in_order(all)
        .into_iter()
        .filter(|c| !implied(c, all))
        .filter_map(|c| change(c, before, after))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The changes of a step in the order in which they are told: it flushes TLBs first, and frees pages after that.
pub fn in_order(all: &[Change]) -> Vec<&Change> {
    let mut order: Vec<&Change> = all.iter().collect();
    if all.iter().any(|c| c.field.is_empty() && c.to == "free") {
        order.sort_by_key(|c| !(c.object.starts_with("CPU ") && c.to.is_empty()));
    }
    order
}

/// A VMA that comes or goes has or loses its permissions with it.
fn implied(c: &Change, all: &[Change]) -> bool {
    let vma = |other: &Change| other.object == c.object && other.field == "VMA";
    c.field.starts_with("VM_") && all.iter().any(vma)
}

fn change(c: &Change, before: &Memory, after: &Memory) -> Option<String> {
    let object = after.short(&c.object);
    if c.field == "PTE" {
        return Some(pte(object, &c.from, &c.to));
    }
    if c.object.starts_with("page ") {
        return page(c, before);
    }
    if c.object.starts_with("file ") {
        return Some(format!("writes {} to {}{}", c.to, c.object, c.field));
    }
    if c.object.starts_with("CPU ") && c.to.is_empty() {
        let variable = c.field.trim_start_matches("TLB ");
        return Some(format!("flushes {variable} from the TLB of {}", c.object));
    }
    if let Some(name) = c.object.strip_prefix("mm ") {
        return match (c.field.as_str(), c.to.as_str()) {
            ("exists", "set") => Some(format!("process {name} exists")),
            ("exists", _) => Some(format!("process {name} is gone")),
            _ => None,
        };
    }
    match c.field.as_str() {
        "VMA" if c.to.is_empty() => Some(format!("unmaps the VMA of {object}")),
        "VM_WRITE" if c.to.is_empty() => Some(format!("{object} may no longer be written")),
        "VM_WRITE" => Some(format!("{object} may be written")),
        "VM_SOFTDIRTY" if c.to.is_empty() => Some(format!("begins to track writes to {object}")),
        _ => None,
    }
}

/// A PTE that changed.
pub fn pte(object: &str, from: &str, to: &str) -> String {
    let (old, new) = (page_of_pte(from), page_of_pte(to));
    let writable = |pte: &str| pte.contains(" W");
    let access = |pte: &str| {
        if pte.contains("PROT_NONE") {
            "without access"
        } else if pte.contains(" W") {
            "writable"
        } else {
            "read-only"
        }
    };
    match (old, new) {
        (Some(old), Some(new)) if old == new => {
            if writable(from) && !writable(to) {
                format!("write-protects {object} ({new})")
            } else if !writable(from) && writable(to) {
                format!("makes {object} writable ({new})")
            } else {
                format!("changes the PTE of {object}: {from} -> {to}")
            }
        }
        (Some(old), Some(new)) => format!("maps {new} in place of {old} at {object}"),
        (_, Some(new)) if from.starts_with("migration") => {
            format!("maps {new} at {object} again, {}", access(to))
        }
        (_, Some(new)) => format!("maps {new} at {object} {}", access(to)),
        (_, None) if to.starts_with("zero page") => format!("maps the zero page at {object}"),
        (Some(old), None) if to.is_empty() => format!("clears the PTE of {object} ({old})"),
        (None, None) if to.is_empty() => format!("clears the PTE of {object} ({from})"),
        (_, None) if to.starts_with("migration") => format!("unmaps {object}: {to}"),
        (_, None) => format!("sets the PTE of {object} to {to}"),
    }
}

fn page(c: &Change, before: &Memory) -> Option<String> {
    let page = &c.object;
    if c.field.is_empty() {
        return match c.to.as_str() {
            "free" => Some(format!("{page} is freed")),
            "KSM" => Some(format!("makes {page} a KSM page")),
            _ if c.from == "free" => Some(format!("allocates {page}")),
            _ => None,
        };
    }
    if c.field.starts_with('[') {
        // The cells of a page that was just allocated are told with the copy.
        let fresh = c.from.is_empty();
        return (!fresh).then(|| write(page, &c.field, &c.to, before));
    }
    match (c.field.as_str(), c.to.as_str()) {
        ("PG_lru", "set") => Some(format!("puts {page} on the LRU")),
        ("PG_swapbacked", "") => Some(format!("makes {page} lazyfree")),
        ("PG_writeback", "set") => Some(format!("{page} is under writeback")),
        ("PG_swapcache", "") => Some(format!("removes {page} from the swap cache")),
        ("PG_swapcache", slot) => Some(format!("adds {page} to the swap cache ({slot})")),
        _ => None,
    }
}

/// `writes x[0]=7 into page 1`, and who maps that page, if the variable that the value is meant for does not.
pub fn write(page: &str, cell: &str, value: &str, m: &Memory) -> String {
    let what = format!("writes {}={value} into {page}", m.cell(page, cell));
    let mapped = m.mapped_at(page);
    match mapped.as_slice() {
        [] if m.get(page, "").is_empty() => what,
        [] => format!("{what}, which no page table maps"),
        _ if m.home(page).is_none_or(|home| mapped.contains(&home)) => what,
        [only] => format!("{what}, which only {only} maps now"),
        several => format!("{what}, which {} map now", several.join(" and ")),
    }
}

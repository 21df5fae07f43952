//! The ideal memory: what anonymous memory promises, and who breaks it.
//!
//! Beside the mm runs a memory without pages, page tables and swap: each process has cells. It hears what everybody sees and writes
//! ([`Spec::load`], [`Spec::land`], ...) and which calls are under way ([`Spec::event`]), and tells what was promised otherwise. It
//! knows nothing of frames. The rules S0 to S13 are those of the book's chapter on the specification.
//!
//! [`Spec`] is what stays the same in all states of a test, [`Ideal`] the state, [`Alarms`] what one step broke.
//!
//! ```
//! use cowherd_mm::{Cell, MmId, Va};
//! use cowherd_model::spec::{Alarms, Kind, Spec};
//!
//! let (a, x, c) = (MmId(0), Va(0), Cell(0));
//! let mut spec = Spec::new_for(1, 1, 1);
//! spec.starts[0][0] = 1 << 5;
//! spec.stores[0][0] = 1 << 6;
//! let mut ideal = spec.start();
//! ideal.born(a);
//! ideal.map(a, x, &[5, 0, 0, 0]);
//!
//! let mut alarms = Alarms::default();
//! spec.store(&mut ideal, &mut alarms, a, x, c, 6);
//! spec.load(&mut ideal, &mut alarms, a, x, c, 6);
//! assert!(alarms.is_empty());
//! spec.load(&mut ideal, &mut alarms, a, x, c, 5);
//! assert_eq!(alarms.kinds(), Kind::LostWrite.bit());
//! ```

mod alarms;
mod by_reference;
mod cell_sets;
mod classify;
mod cpu;
mod device;
mod events;
mod footprint;
mod ideal;
#[cfg(not(feature = "wide"))]
mod names;
mod page;
mod program;
mod promises;
mod worlds;

pub use alarms::{Alarm, Alarms, GAVE_UP_BIT, HAZARD_SHIFT, Hazard, Hazards, Kind, Rule};
pub use cell_sets::{CellSets, JUNK, MAX_VALUE};
pub use ideal::Ideal;
pub use page::Traps;
pub use promises::{By, ByPage, HoldUse, IoUse, Promise, Spec, Values, value};

#[cfg(all(test, not(feature = "wide")))]
mod tests;

/// Where the kernel's own invariants begin in [`crate::state::State::alarms`]: bit `INVARIANT_SHIFT + n` stands for the
/// `Broken` of number n. Below are [`Alarms::bits`].
pub const INVARIANT_SHIFT: u32 = 32;

impl Alarms {
    /// All in one word, the kernel's invariants included.
    pub fn word(&self) -> u64 {
        u64::from(self.bits()) | u64::from(self.invariants()) << INVARIANT_SHIFT
    }
}

/// The bits of [`Alarms::word`] that are broken promises: no hazard among them.
pub const PROMISES: u64 = (1 << HAZARD_SHIFT) - 1;

/// The bits of a kind; of all kinds for `None`.
pub fn kind_bits(kind: Option<cowherd_litmus::ast::Kind>) -> u64 {
    match kind {
        None => PROMISES,
        Some(kind) => Kind::from_name(kind.word()).map_or(0, |kind| u64::from(kind.bit())),
    }
}

/// The bits of hazard H1 to H7; of all hazards for `None`.
pub fn hazard_bits(number: Option<u8>) -> u64 {
    let all = Hazard::ALL.iter().enumerate();
    all.filter(|(n, _)| number.is_none_or(|number| *n + 1 == number as usize))
        .fold(0, |bits, (n, _)| bits | 1 << (HAZARD_SHIFT + n as u32))
}

/// What bits of [`Alarms::word`] say, for people: kinds, hazards, and the invariants behind `bad-page-state`.
pub fn names(bits: u64) -> Vec<String> {
    let mut names = Vec::new();
    for kind in Kind::ALL {
        if bits & u64::from(kind.bit()) != 0 {
            names.push(kind.name().to_string());
        }
    }
    for broken in cowherd_mm::Broken::ALL {
        if bits >> (INVARIANT_SHIFT + broken as u32) & 1 == 1 {
            names.push(format!("{broken:?}"));
        }
    }
    for (n, hazard) in Hazard::ALL.iter().enumerate() {
        if bits >> (HAZARD_SHIFT + n as u32) & 1 == 1 {
            names.push(format!("hazard {}", hazard.name()));
        }
    }
    if bits >> GAVE_UP_BIT & 1 == 1 {
        names.push("specification gave up".into());
    }
    names
}

/// A condition's atom that asks for these bits.
pub fn describe_bits(bits: u64) -> String {
    if bits == PROMISES {
        return "violates".into();
    }
    let names = names(bits);
    match names.first() {
        Some(name) if name.starts_with("hazard") => {
            format!("hazard({})", name.trim_start_matches("hazard "))
        }
        Some(name) => format!("violates({name})"),
        None => "violates".into(),
    }
}

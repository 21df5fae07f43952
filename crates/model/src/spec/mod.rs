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
mod ideal;
mod page;
mod program;
mod promises;
mod worlds;

pub use alarms::{Alarm, Alarms, GAVE_UP_BIT, HAZARD_SHIFT, Hazard, Hazards, Kind, Rule};
pub use cell_sets::{CellSets, JUNK, MAX_VALUE};
pub use ideal::Ideal;
pub use page::Traps;
pub use program::{hazard_bits, kind_bits};
pub use promises::{By, ByPage, HoldUse, IoUse, Promise, Spec, Values, value};

#[cfg(test)]
mod tests;

//! Which addresses of the ideal memory an event touches.
//!
//! What goes by a reference (transfers, holders, watches) belongs to the address that it was started for. While a page moves, or a
//! reference to one that moved is held, all addresses are one; during a fork, or while a child shares a page that is referenced,
//! an address is one with those of relatives.

use cowherd_mm::{Event, MAX_MMS, MAX_PAGES, MmId, Touch, Va};

use super::ideal::{Ideal, Phase, Places};
use super::promises::Spec;

impl Spec {
    /// What is touched when these addresses are accessed.
    pub fn tied(&self, ideal: &Ideal, addresses: u128) -> u128 {
        if self.something_moved(ideal) && addresses & Touch::IDEALS != 0 {
            return Touch::IDEALS;
        }
        let everywhere = |va| (0..MAX_MMS as u8).fold(0, |b, mm| b | Touch::ideal(MmId(mm), va));
        (0..MAX_PAGES as u8)
            .map(|va| everywhere(Va(va)))
            .filter(|bits| bits & addresses != 0)
            .fold(0, |all, bits| all | bits)
    }

    /// Does something go by a reference to a page that has moved, or does one move?
    fn something_moved(&self, ideal: &Ideal) -> bool {
        let mut ios = ideal.ios.iter().zip(&self.ios);
        let mut holders = ideal.holders.iter().zip(&self.holders);
        let mut watches = ideal.watches.iter().flatten();
        ideal.moving.iter().any(Option::is_some)
            || ios.any(|(io, used)| io.at.is_some_and(|at| at != Places::one(used.va)))
            || holders.any(|(h, used)| h.phase != Phase::Idle && h.at != Places::one(used.va))
            || watches.any(|w| w.at != Places::one(w.va))
    }

    /// What an event touches.
    pub fn event_footprint(&self, event: Event) -> u128 {
        let (mm, va) = match event {
            Event::ForkBegin { .. }
            | Event::ForkEnd { .. }
            | Event::ForkWithout { .. }
            | Event::ForkFailed { .. }
            | Event::Moved { .. }
            | Event::MoveBegin { .. }
            | Event::Dropped { .. } => return Touch::IDEALS,
            Event::TransferBegin { io } | Event::TransferEnd { io } => {
                let used = self.ios[io.at()];
                (used.mm, used.va)
            }
            Event::Released { holder } => {
                let used = self.holders[holder.at()];
                (used.mm, used.va)
            }
            Event::ZapBegin { mm, va }
            | Event::ZapEnd { mm, va }
            | Event::Unmapped { mm, va }
            | Event::FreeBegin { mm, va }
            | Event::FreeEnd { mm, va }
            | Event::SpliceBegin { mm, va }
            | Event::Held { mm, va, .. }
            | Event::HoldBegin { mm, va, .. }
            | Event::RemoteBegin { mm, va }
            | Event::WriteForbidden { mm, va }
            | Event::WriteAllowed { mm, va }
            | Event::WriteTrapped { mm, va, .. }
            | Event::TrapLifted { mm, va, .. } => (mm, va),
        };
        Touch::ideal(mm, va)
    }
}

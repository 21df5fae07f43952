//! Which addresses of the ideal memory an event touches.
//!
//! What goes by a reference (transfers, holders, watches) belongs to the address that it was started for. While a window is open
//! that ties addresses together (a fork, a move, a reference that a child shares), all addresses are one.

use cowherd_mm::{Event, Touch};

use super::ideal::{Ideal, Phase, Places, Proc};
use super::promises::Spec;

impl Spec {
    /// Does what happens at one address show at others?
    pub fn tied(&self, ideal: &Ideal) -> bool {
        let mut ios = ideal.ios.iter().zip(&self.ios);
        let mut holders = ideal.holders.iter().zip(&self.holders);
        let mut pages = ideal.pages.iter().flatten();
        ideal.procs.contains(&Proc::Forking)
            || ideal.moving.iter().any(Option::is_some)
            || pages.any(|page| page.dropping)
            || ios.any(|(io, used)| {
                io.at.is_some_and(|at| at != Places::one(used.va)) || !io.shared.is_empty()
            })
            || holders.any(|(held, used)| {
                held.phase != Phase::Idle
                    && (held.at != Places::one(used.va) || !held.shared.is_empty())
            })
            || ideal
                .watches
                .iter()
                .flatten()
                .any(|w| w.at != Places::one(w.va))
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

//! GUP without locks: `gup_fast`, `gup_fast_pte_range`, `try_grab_folio_fast` (mm/gup.c).
//!
//! Interrupts are off, so page tables cannot be freed; no lock is held. What was read is checked again once the reference is
//! there: if the PTE is still the same, whoever clears it later sees the reference. For a read-only pin that is not enough,
//! since a PTE may have been cleared and restored to the same value: PG_anon_exclusive must still be set *after* the pin
//! (5.19), which takes barriers (6.1, `gupfast_barriers`). Without them the second look may overtake the pin.
//!
//! fork is kept out by `write_protect_seq` (5.11), which only pins look at.

use crate::feature::Feature as F;
use crate::gup::{Then, Want, get_user_pages, must_unshare, writes};
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::Hold;
use crate::packed;
use crate::pgtable::Present;
use crate::step::{Step, step};
use crate::task::{Call, Next};

packed! {
    /// A lockless walk. `e` is the PTE as it was read, `seq` the sequence count as it was sampled.
    pub enum GupFast {
        /// GF0: remembers that the mm pins; samples the sequence count.
        Begin { want: Want, then: Then },
        /// GF1, GF2: reads the PTE and looks at its permissions.
        ReadPte { want: Want, then: Then, seq: Count },
        /// GF3: takes the reference.
        Grab { want: Want, then: Then, seq: Count, e: Present },
        /// GF4: reads the PTE again.
        Recheck { want: Want, then: Then, seq: Count, e: Present },
        /// GF5: is the page still exclusive? (read-only pins, 5.19)
        Exclusive { want: Want, then: Then, seq: Count, e: Present },
        /// GF6: did a fork begin or end meanwhile?
        CheckSeq { want: Want, then: Then, seq: Count, e: Present },
        /// Drops the reference again.
        Undo { want: Want, then: Then, e: Present },
        /// Without barriers: the second look at PTE and flag came before the pin.
        EarlyRecheck { want: Want, then: Then, seq: Count, e: Present },
        /// Without barriers: the pin that the looks overtook.
        LateGrab { want: Want, then: Then, seq: Count, e: Present },
    }
}

use GupFast::*;

impl GupFast {
    /// The page to which it is about to take a reference. Nothing keeps that page from being freed, and used for something else,
    /// before it does: that is what the second look at the PTE is for.
    pub fn speculates(self) -> Option<Pfn> {
        match self {
            Grab { e, .. } | EarlyRecheck { e, .. } | LateGrab { e, .. } => Some(e.pfn),
            _ => None,
        }
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        const F: &str = "gup_fast_pte_range";
        match self {
            Begin { .. } => step("GF0", "gup_fast"),
            ReadPte { .. } => step("GF1", F),
            Grab { .. } | LateGrab { .. } => step("GF3", "try_grab_folio_fast"),
            Recheck { .. } | EarlyRecheck { .. } => step("GF4", F),
            Exclusive { .. } => step("GF5", "gup_must_unshare"),
            CheckSeq { .. } => step("GF6", "gup_fast"),
            Undo { .. } => step("GF undo", "gup_put_folio"),
        }
        .under("interrupts off")
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { want, then } => {
                let pin = want.hold == Hold::Pin;
                if pin && k.has(F::HasPinned) {
                    k.tables_mut(want.mm).has_pinned = true;
                }
                let mut seq = Count(0);
                if pin && k.has(F::ForkWpseq) {
                    seq = k.tables(want.mm).wp_seq;
                    if seq.0 & 1 == 1 {
                        return get_user_pages(want, then);
                    }
                }
                go(ReadPte { want, then, seq })
            }
            ReadPte { want, then, seq } => {
                let Some(e) = k.pte(want.mm, want.va).present() else {
                    return get_user_pages(want, then);
                };
                if e.protnone || e.pfn.is_zero() || (writes(k, want) && !e.write) {
                    return get_user_pages(want, then);
                }
                let pins_readonly = want.hold == Hold::Pin && !want.write && !e.write;
                if pins_readonly
                    && k.has(F::Unshare)
                    && !k.has(F::GupfastBarriers)
                    && k.choose(2) == 1
                {
                    return go(EarlyRecheck { want, then, seq, e });
                }
                go(Grab { want, then, seq, e })
            }
            Grab { want, then, seq, e } => {
                if !k.try_grab(e.pfn, want.hold) {
                    return get_user_pages(want, then);
                }
                go(Recheck { want, then, seq, e })
            }
            Recheck { want, then, seq, e } => {
                if k.has(F::GupfastRecheck) && k.pte(want.mm, want.va) != e.pte() {
                    return go(Undo { want, then, e });
                }
                if want.hold == Hold::Pin && !want.write && !e.write && k.has(F::Unshare) {
                    return go(Exclusive { want, then, seq, e });
                }
                finish(k, want, then, seq, e)
            }
            Exclusive { want, then, seq, e } => {
                if must_unshare(k, want, e) {
                    return go(Undo { want, then, e });
                }
                finish(k, want, then, seq, e)
            }
            CheckSeq { want, then, seq, e } => {
                if k.tables(want.mm).wp_seq != seq {
                    return go(Undo { want, then, e });
                }
                then.got(k, want, e.pfn)
            }
            Undo { want, then, e } => {
                k.release(e.pfn, want.hold);
                get_user_pages(want, then)
            }
            EarlyRecheck { want, then, seq, e } => {
                if k.pte(want.mm, want.va) != e.pte() || must_unshare(k, want, e) {
                    return get_user_pages(want, then);
                }
                go(LateGrab { want, then, seq, e })
            }
            LateGrab { want, then, seq, e } => {
                if !k.try_grab(e.pfn, want.hold) {
                    return get_user_pages(want, then);
                }
                finish(k, want, then, seq, e)
            }
        }
    }
}

fn go(p: GupFast) -> Next {
    Next::Call {
        call: Call::GupFast { p },
    }
}

/// The reference is good; a pin has still to hold its own against a fork. FOLL_GET takes no part in that.
fn finish(k: &mut Kernel, want: Want, then: Then, seq: Count, e: Present) -> Next {
    if want.hold == Hold::Pin && k.has(F::ForkWpseq) {
        return go(CheckSeq { want, then, seq, e });
    }
    then.got(k, want, e.pfn)
}

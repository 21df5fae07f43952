//! UFFDIO_MOVE (6.8): `move_pages`, `move_pages_pte`, `move_present_pte`, `move_swap_pte`, `move_zeropage_pte`
//! (mm/userfaultfd.c).
//!
//! Moves an exclusive anonymous page, or an exclusive swap entry, to an empty address of the same mm. mmap_lock for read (or
//! both VMA locks); the folio lock, which stands for the anon_vma lock too; then the PTLs of both addresses, one lock here. All
//! that was read before is checked again under each lock; whatever changed means: from the start (EAGAIN stays in the kernel).
//!
//! A page: its PTE is cleared and flushed, *then* it is looked at for pins again, then its index and anon_vma change and it is
//! mapped at the new address: always writable and without userfaultfd's mark, whatever it was before (`uffd_move_wp`
//! would keep both). References of GUP that are no pins are not looked at: they follow the page.
//!
//! A swap entry: the folio may still be in the swap cache, under the old index.
//!
//! | | feature | |
//! |---|---|---|
//! | 6.8 | | just the PTE moves |
//! | 6.14 | `uffd_move_sc1` | a cached folio is locked, and its index moves too |
//! | 6.16 | `uffd_move_sc2` | ... if it is still cached for that entry; if none was cached, none may be by now |

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::page::Home;
use crate::pgtable::{Present, Pte, SwapPte};
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::{Event, Trap};

packed! {
    /// A move of one page.
    pub enum MovePages {
        /// Takes mmap_lock, checks both VMAs.
        Begin { c: Move },
        /// Reads both PTEs. `held`: a folio that was locked meanwhile, and the PTE for which.
        ReadPtes { c: Move, held: Option<HeldFolio> },
        /// A page: PTL, PTE checked; exclusive? Takes a reference and tries the folio lock.
        GetFolio { c: Move, orig: Present },
        /// A swap entry: looks for a folio in the swap cache and tries its lock (6.14).
        LookupCache { c: Move, orig: SwapPte },
        /// Sleeps on the folio lock.
        LockFolio { c: Move, held: HeldFolio },
        /// A page: PTLs, PTEs checked; pinned? exclusive? Folio lock held.
        Check { c: Move, orig: Present },
        /// Clears the old PTE. PTLs, folio lock held.
        Clear { c: Move, orig: Present },
        /// Flushes the old address. PTLs, folio lock held.
        Flush { c: Move, orig: Present },
        /// Pinned by now? Then the PTE is restored. PTLs, folio lock held.
        PinTest { c: Move, orig: Present },
        /// The page's index changes; the new PTE. PTLs, folio lock held.
        Set { c: Move, orig: Present },
        /// The zero page: PTLs, PTEs checked, clears the old PTE.
        ZeroClear { c: Move, orig: Present },
        /// The zero page: flushes. PTLs held.
        ZeroFlush { c: Move },
        /// The zero page: sets the new PTE. PTLs held.
        ZeroSet { c: Move },
        /// A swap entry: PTLs, PTEs checked, moves it. The folio, if one was found, is locked.
        MoveSwap { c: Move, orig: SwapPte, folio: Option<Pfn> },
        /// A migration entry: sleeps until it goes.
        MigrationWait { c: Move },
        /// Unlocks the folio.
        Unlock { c: Move, pfn: Pfn, how: How },
        /// Drops its reference.
        Put { c: Move, pfn: Pfn, how: How },
        /// Drops mmap_lock.
        End { c: Move, how: How },
    }

    /// What is moved where.
    pub struct Move {
        /// The process.
        pub mm: MmId,
        /// The old address.
        pub from: Va,
        /// The new address.
        pub to: Va,
    }

    /// A folio that is referenced and locked, and the PTE that led to it.
    pub struct HeldFolio {
        /// The folio.
        pub pfn: Pfn,
        /// `src_folio_pte`.
        pub orig: Pte,
    }

    /// How an attempt ended.
    pub enum How {
        /// Moved.
        Moved,
        /// EBUSY.
        Busy,
        /// EAGAIN: once more.
        Again,
    }
}

use MovePages::*;

impl MovePages {
    /// Enters the call.
    pub fn enter(mm: MmId, to: Va, from: Va) -> Next {
        go(Begin {
            c: Move { mm, from, to },
        })
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        const P: &str = "move_pages_pte";
        const MM: &str = "mmap_lock (read)";
        const PTLS: &str = "both PTLs";
        const ALL: &str = "both PTLs, folio lock";
        match *self {
            Begin { c } => step("UM1", "move_pages")
                .under(MM)
                .waits(Wait::MmapRead(c.mm)),
            ReadPtes { c, .. } => step("UM2", P).under(PTLS).waits(Wait::Ptl(c.mm)),
            GetFolio { c, .. } => step("UM3", P).under("PTL").waits(Wait::Ptl(c.mm)),
            LookupCache { .. } => step("UM3 cache", "swap_cache_get_folio").under(MM),
            LockFolio { held, .. } => step("UM3 lock", "folio_lock")
                .under(MM)
                .waits(Wait::Folio(held.pfn)),
            Check { c, .. } => step("UM4", "move_present_pte")
                .under(ALL)
                .waits(Wait::Ptl(c.mm)),
            Clear { .. } => step("UM5", "move_present_pte").under(ALL),
            Flush { .. } => step("UM6", "ptep_clear_flush").under(ALL),
            PinTest { .. } => step("UM7", "move_present_pte").under(ALL),
            Set { .. } => step("UM8", "move_present_pte").under(ALL),
            ZeroClear { c, .. } => step("UM5 zero", "move_zeropage_pte")
                .under(PTLS)
                .waits(Wait::Ptl(c.mm)),
            ZeroFlush { .. } => step("UM6 zero", "ptep_clear_flush").under(PTLS),
            ZeroSet { .. } => step("UM8 zero", "move_zeropage_pte").under(PTLS),
            MoveSwap { c, .. } => step("UM8 swap", "move_swap_pte")
                .under(ALL)
                .waits(Wait::Ptl(c.mm)),
            MigrationWait { c } => step("migration wait", "migration_entry_wait")
                .waits(Wait::NotMigrating(c.mm, c.from)),
            Unlock { .. } => step("UM9", "folio_unlock").under("folio lock"),
            Put { .. } => step("UM9 put", "folio_put").under(MM),
            End { .. } => step("UM end", "move_pages").under(MM),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { c } => begin(k, c),
            ReadPtes { c, held } => read_ptes(k, c, held),
            GetFolio { c, orig } => get_folio(k, c, orig),
            LookupCache { c, orig } => {
                let Some(pfn) = k.swap_cache_get(orig.slot) else {
                    return go(MoveSwap {
                        c,
                        orig,
                        folio: None,
                    });
                };
                if k.trylock(pfn) {
                    return go(MoveSwap {
                        c,
                        orig,
                        folio: Some(pfn),
                    });
                }
                let orig = Pte::Swap { e: orig };
                go(LockFolio {
                    c,
                    held: HeldFolio { pfn, orig },
                })
            }
            LockFolio { c, held } => {
                k.lock_page(held.pfn);
                go(ReadPtes {
                    c,
                    held: Some(held),
                })
            }
            Check { c, orig } => check(k, c, orig),
            Clear { c, orig } => {
                k.clear_pte(c.mm, c.from);
                go(Flush { c, orig })
            }
            Flush { c, orig } => {
                k.flush_tlb_page(c.mm, c.from);
                go(PinTest { c, orig })
            }
            PinTest { c, orig } => {
                if k.has(F::UffdMovePinTest) && k.maybe_dma_pinned(orig.pfn) {
                    k.set_pte(c.mm, c.from, orig.pte());
                    return unlock_ptls(k, c, orig.pfn, How::Busy);
                }
                go(Set { c, orig })
            }
            Set { c, orig } => set(k, c, orig),
            ZeroClear { c, orig } => {
                k.lock_ptl(c.mm);
                if changed(k, c, orig.pte()) {
                    k.unlock_ptl(c.mm);
                    return go(ReadPtes { c, held: None });
                }
                k.clear_pte(c.mm, c.from);
                go(ZeroFlush { c })
            }
            ZeroFlush { c } => {
                k.flush_tlb_page(c.mm, c.from);
                go(ZeroSet { c })
            }
            ZeroSet { c } => {
                let e = k.mk_pte(c.mm, c.to, Pfn::ZERO);
                k.set_pte(c.mm, c.to, e.pte());
                moved(k, c);
                k.unlock_ptl(c.mm);
                go(End { c, how: How::Moved })
            }
            MoveSwap { c, orig, folio } => move_swap(k, c, orig, folio),
            MigrationWait { c } => go(ReadPtes { c, held: None }),
            Unlock { c, pfn, how } => {
                k.unlock_page(pfn);
                go(Put { c, pfn, how })
            }
            Put { c, pfn, how } => {
                k.put_page(pfn);
                go(match how {
                    How::Again => ReadPtes { c, held: None },
                    How::Moved | How::Busy => End { c, how },
                })
            }
            End { c, how } => fail(
                k,
                c,
                match how {
                    How::Moved | How::Again => None,
                    How::Busy => Some(Errno::Ebusy),
                },
            ),
        }
    }
}

fn go(p: MovePages) -> Next {
    Next::Call {
        call: Call::MovePages { p },
    }
}

/// Drops mmap_lock and returns.
fn fail(k: &mut Kernel, c: Move, errno: Option<Errno>) -> Next {
    k.mmap_read_unlock(c.mm);
    Next::Return {
        result: errno.map_or(Ok(()), Err),
    }
}

/// `uffd_move_lock`, which gives the new VMA an anon_vma whether or not the move is refused (6.8 did so after the checks, which only a fork could tell), and
/// `validate_move_areas`: two anonymous VMAs of the same protection, writable; the new one is registered.
fn begin(k: &mut Kernel, c: Move) -> Next {
    k.mmap_read_lock(c.mm);
    let (from, to) = (*k.vma(c.mm, c.from), *k.vma(c.mm, c.to));
    if !from.mapped || !to.mapped {
        return fail(k, c, Some(Errno::Enoent));
    }
    if to.file.is_none() && k.has(F::UffdMove) {
        k.anon_vma_prepare(c.mm, c.to);
    }
    let alike = from.write && to.write && from.read == to.read;
    let anonymous = from.file.is_none() && to.file.is_none();
    if !(k.has(F::UffdMove) && alike && anonymous && to.registered()) {
        return fail(k, c, Some(Errno::Einval));
    }
    go(ReadPtes { c, held: None })
}

/// The PTEs as they are now; both are checked again under the locks that count.
fn read_ptes(k: &mut Kernel, c: Move, held: Option<HeldFolio>) -> Next {
    let (from, to) = (k.pte(c.mm, c.from), k.pte(c.mm, c.to));
    let errno = if to != Pte::None {
        Some(Errno::Eexist)
    } else {
        (from == Pte::None).then_some(Errno::Enoent)
    };
    if let Some(errno) = errno {
        if let Some(held) = held {
            k.unlock_page(held.pfn);
            k.put_page(held.pfn);
        }
        return fail(k, c, Some(errno));
    }
    if let Some(HeldFolio { pfn, orig }) = held {
        if from != orig {
            return go(Unlock {
                c,
                pfn,
                how: How::Again,
            });
        }
        return go(match from {
            Pte::Present { e } => Check { c, orig: e },
            Pte::Swap { e } => MoveSwap {
                c,
                orig: e,
                folio: Some(pfn),
            },
            _ => unreachable!("no folio was locked for {from:?}"),
        });
    }
    match from {
        Pte::Present { e } if e.pfn.is_zero() && k.has(F::UffdMoveZeropage) => {
            go(ZeroClear { c, orig: e })
        }
        Pte::Present { e } if e.pfn.is_zero() => fail(k, c, Some(Errno::Ebusy)),
        Pte::Present { e } => go(GetFolio { c, orig: e }),
        Pte::Swap { e } if !e.exclusive && k.has(F::UffdMoveExclusive) => {
            fail(k, c, Some(Errno::Ebusy))
        }
        Pte::Swap { e } if k.has(F::UffdMoveSc1) => go(LookupCache { c, orig: e }),
        Pte::Swap { e } => go(MoveSwap {
            c,
            orig: e,
            folio: None,
        }),
        Pte::Migration { .. } => go(MigrationWait { c }),
        Pte::Marker | Pte::None => fail(k, c, Some(Errno::Efault)),
    }
}

/// Did either PTE change since it was read? PTLs held.
fn changed(k: &mut Kernel, c: Move, orig: Pte) -> bool {
    (k.pte(c.mm, c.from) != orig || k.pte(c.mm, c.to) != Pte::None) && k.has(F::UffdMoveRecheck)
}

fn get_folio(k: &mut Kernel, c: Move, orig: Present) -> Next {
    // Without a second look the reference would be to whatever is there by now.
    if k.pte(c.mm, c.from) != orig.pte() {
        return go(ReadPtes { c, held: None });
    }
    if !k.anon_exclusive(orig.pfn) && k.has(F::UffdMoveExclusive) {
        return fail(k, c, Some(Errno::Ebusy));
    }
    k.get_page(orig.pfn);
    if k.trylock(orig.pfn) {
        return go(Check { c, orig });
    }
    let held = HeldFolio {
        pfn: orig.pfn,
        orig: orig.pte(),
    };
    go(LockFolio { c, held })
}

fn unlock_ptls(k: &mut Kernel, c: Move, pfn: Pfn, how: How) -> Next {
    k.unlock_ptl(c.mm);
    go(Unlock { c, pfn, how })
}

fn check(k: &mut Kernel, c: Move, orig: Present) -> Next {
    k.lock_ptl(c.mm);
    if changed(k, c, orig.pte()) {
        return unlock_ptls(k, c, orig.pfn, How::Again);
    }
    let exclusive = k.anon_exclusive(orig.pfn) || !k.has(F::UffdMoveExclusive);
    if k.maybe_dma_pinned(orig.pfn) || !exclusive {
        return unlock_ptls(k, c, orig.pfn, How::Busy);
    }
    go(Clear { c, orig })
}

/// Where a page belongs from now on: `folio_move_anon_rmap`, `folio->index`.
fn rehome(k: &mut Kernel, c: Move, pfn: Pfn) {
    let home: Option<Home> = k.home(c.mm, c.to);
    k.page_mut(pfn).home = home;
}

/// Tells the specification. A mark goes along if the new VMA heeds marks.
fn moved(k: &mut Kernel, c: Move) {
    let (mm, from, to) = (c.mm, c.from, c.to);
    if !k.vma(mm, to).traps_writes(true) {
        k.event(Event::TrapLifted {
            mm,
            va: from,
            by: Trap::Uffd,
        });
    }
    k.event(Event::Moved { mm, from, to });
}

fn set(k: &mut Kernel, c: Move, orig: Present) -> Next {
    rehome(k, c, orig.pfn);
    let keep = k.has(F::UffdMoveWp);
    let e = Present {
        write: orig.writable() || !keep,
        dirty: orig.dirty,
        soft_dirty: true,
        uffd_wp: orig.uffd_wp && keep,
        ..k.mk_pte(c.mm, c.to, orig.pfn)
    };
    k.set_pte(c.mm, c.to, e.pte());
    moved(k, c);
    unlock_ptls(k, c, orig.pfn, How::Moved)
}

/// No translation leads to a swap entry, so it moves in one step.
fn move_swap(k: &mut Kernel, c: Move, orig: SwapPte, folio: Option<Pfn>) -> Next {
    let leave = |how| match folio {
        Some(pfn) => go(Unlock { c, pfn, how }),
        None if how == How::Again => go(ReadPtes { c, held: None }),
        None => go(End { c, how }),
    };
    let stale = folio.is_some_and(|pfn| k.page(pfn).swap != Some(orig.slot));
    if stale && k.has(F::UffdMoveSc2) {
        return leave(How::Again);
    }
    if changed(k, c, Pte::Swap { e: orig }) {
        return leave(How::Again);
    }
    match folio {
        Some(pfn) => rehome(k, c, pfn),
        None => {
            let slot = *k.slot(orig.slot);
            if k.has(F::UffdMoveSc2) && (slot.cache.is_some() || slot.claimed) {
                return leave(How::Again);
            }
        }
    }
    k.clear_pte(c.mm, c.from);
    let e = SwapPte {
        soft_dirty: true,
        ..orig
    };
    k.set_pte(c.mm, c.to, Pte::Swap { e });
    moved(k, c);
    leave(How::Moved)
}

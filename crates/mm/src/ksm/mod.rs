//! Kernel samepage merging: ksmd's work on the pages that it comes by (`scan_get_next_rmap_item`, `cmp_and_merge_page`,
//! `try_to_merge_with_ksm_page`, `try_to_merge_two_pages`; mm/ksm.c), with `follow_page` (mm/gup.c), which finds what is mapped.
//!
//! ksmd looks at one page at a time, in VMAs that are VM_MERGEABLE. It compares the page with the *stable tree* (all KSM pages),
//! then with the *unstable tree* (pages that it met earlier in this pass). A KSM page with the same contents replaces the page.
//! A page in the unstable tree with the same contents makes a pair: the page that ksmd is at becomes the KSM page, and replaces
//! the one that it met earlier. Each of these replacements is a [`TryToMerge`].
//!
//! What ksmd finds out while it walks the trees is a hint: it holds a reference to each page and no lock. So what must hold is
//! tested again under locks by `try_to_merge_one_page`. The checksum, which keeps ksmd from pages that change often, is left out:
//! a page that it skips is a pass that did not happen. So are NUMA, the limit of sharers, and `use_zero_pages`.
//!
//! A stable node holds no reference to its page; the reverse mapping of a KSM page finds every PTE that maps it. (While ksmd is
//! between a merge and the update of its trees it does not, and reclaim and migration give up on the page.)

pub mod break_ksm;
pub mod madvise;
pub mod try_to_merge_one_page;

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::ksm::break_ksm::{BreakKsm, Breaking};
use crate::ksm::try_to_merge_one_page::{Merging, TryToMerge};
use crate::memory::fault::FaultResult;
use crate::packed;
use crate::page::PageKind;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};

packed! {
    /// `struct ksm_rmap_item`: an address that ksmd looks at.
    pub struct RmapItem {
        /// Whose.
        pub mm: MmId,
        /// Which page.
        pub va: Va,
    }

    /// What ksmd found there: a page, to which it holds a reference.
    pub struct Item {
        /// Where.
        pub at: RmapItem,
        /// The page.
        pub pfn: Pfn,
    }

    /// The rest of the pass.
    pub struct Rest {
        /// The page that comes next.
        pub next: Option<RmapItem>,
        /// The unstable tree: the page that came before, if it was not merged.
        pub tree: Option<RmapItem>,
        /// Is anything merged?
        pub merged: bool,
    }

    /// What a merge is part of.
    pub enum Part {
        /// The page is replaced by one of the stable tree.
        Stable { rest: Rest },
        /// The page becomes the KSM page of a pair; `tree` is the other one.
        First { tree: Item },
        /// The other one is replaced by `first`.
        Second { first: Item },
    }

    /// ksmd at work.
    pub enum Ksm {
        /// A pass begins: drains the LRU batches of all CPUs, whose references would keep pages from being merged.
        Drain { at: RmapItem, rest: Rest },
        /// Takes mmap_lock of the next page's process.
        Enter { at: RmapItem, rest: Rest },
        /// References the page that is mapped there.
        Follow { at: RmapItem, rest: Rest },
        /// Looks for a page with the same contents in the stable tree.
        Search { i: Item, rest: Rest },
        /// Takes mmap_lock of the process of the page in the unstable tree.
        TreeEnter { i: Item, tree: RmapItem, rest: Rest },
        /// References that page, if it has the same contents.
        TreeFollow { i: Item, tree: RmapItem, rest: Rest },
        /// KS1 to KS11.
        Merge { p: TryToMerge, part: Part },
        /// Locks and unlocks the stable page that replaced the page, so that nobody who tested its references before the merge
        /// goes on after it.
        Append { i: Item, kpage: Pfn, rest: Rest },
        /// The same for the new stable page of a pair.
        Insert { i: Item, tree: Item },
        /// Only the first of a pair could be merged: takes mmap_lock, to break it again.
        BreakEnter { i: Item, tree: Item },
        /// `break_cow`.
        Break { i: Item, tree: Item, b: BreakKsm },
        /// Drops the reference to the page of the stable or unstable tree.
        PutTree { i: Item, tree: Pfn, rest: Rest },
        /// Drops the reference to the page.
        Put { i: Item, rest: Rest },
    }
}

use Ksm::*;

impl Ksm {
    /// One pass of ksmd over these pages, in this order.
    pub fn scan(first: (MmId, Va), second: Option<(MmId, Va)>) -> Next {
        let item = |(mm, va)| RmapItem { mm, va };
        go(Drain {
            at: item(first),
            rest: Rest {
                next: second.map(item),
                tree: None,
                merged: false,
            },
        })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const SCAN: &str = "scan_get_next_rmap_item";
        const TREE: &str = "get_mergeable_page";
        const MMAP: &str = "mmap_lock (read)";
        match *self {
            Drain { .. } => step("KS drain", "lru_add_drain_all"),
            Enter { at, .. } => step("KS lock", SCAN)
                .under(MMAP)
                .waits(Wait::MmapRead(at.mm)),
            Follow { at, .. } => step("KS follow", SCAN)
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(at.mm)),
            Search { .. } => step("KS search", "stable_tree_search"),
            TreeEnter { tree, .. } => step("KS lock", TREE)
                .under(MMAP)
                .waits(Wait::MmapRead(tree.mm)),
            TreeFollow { tree, .. } => step("KS follow", TREE)
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(tree.mm)),
            Merge { ref p, .. } => p.describe(v),
            Append { kpage, .. } => step("KS append", "stable_tree_append")
                .under("folio lock")
                .waits(Wait::Folio(kpage)),
            Insert { i, .. } => step("KS insert", "stable_tree_insert")
                .under("folio lock")
                .waits(Wait::Folio(i.pfn)),
            BreakEnter { i, .. } => step("KS lock", "break_cow")
                .under(MMAP)
                .waits(Wait::MmapRead(i.at.mm)),
            Break { ref b, .. } => b.describe(v),
            PutTree { .. } => step("KS put", "cmp_and_merge_page"),
            Put { .. } => step("KS put", "ksm_do_scan"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Drain { at, rest } => {
                k.lru_add_drain_all();
                go(Enter { at, rest })
            }
            Enter { at, rest } => {
                if !enter(k, at) {
                    return next(at, rest);
                }
                go(Follow { at, rest })
            }
            Follow { at, rest } => {
                let sees = !k.hidden_by_protnone(at.mm, at.va) || k.has(F::KsmWalkScan);
                let found = sees.then(|| follow(k, at)).flatten();
                k.mmap_read_unlock(at.mm);
                match found {
                    Some(pfn) => go(Search {
                        i: Item { at, pfn },
                        rest,
                    }),
                    None => next(at, rest),
                }
            }
            Search { i, rest } => search(k, i, rest),
            TreeEnter { i, tree, rest } => {
                if !enter(k, tree) {
                    return go(Put { i, rest });
                }
                go(TreeFollow { i, tree, rest })
            }
            TreeFollow { i, tree, rest } => {
                let sees = !k.hidden_by_protnone(tree.mm, tree.va);
                let found = sees.then(|| follow(k, tree)).flatten();
                k.mmap_read_unlock(tree.mm);
                let Some(pfn) = found else {
                    return go(Put { i, rest });
                };
                if pfn == i.pfn || !k.pages_identical(i.pfn, pfn) {
                    return go(PutTree { i, tree: pfn, rest });
                }
                let tree = Item { at: tree, pfn };
                go(Merge {
                    p: TryToMerge::Lock { i, kpage: None },
                    part: Part::First { tree },
                })
            }
            Merge { p, part } => match p.step(k) {
                Merging::On(p) => go(Merge { p, part }),
                Merging::Over { i, kpage, merged } => after_merge(i, kpage, merged, part),
            },
            Append { i, kpage, rest } => {
                k.put_page(kpage);
                let rest = Rest {
                    merged: true,
                    ..rest
                };
                go(Put { i, rest })
            }
            Insert { i, tree } => end_of_pair(i, tree, true),
            BreakEnter { i, tree } => {
                if !enter(k, i.at) {
                    return end_of_pair(i, tree, false);
                }
                let b = BreakKsm::Follow { at: i.at };
                go(Break { i, tree, b })
            }
            Break { i, tree, b } => {
                let going = b.step(k);
                broken(k, i, tree, going)
            }
            PutTree { i, tree, rest } => {
                k.put_page(tree);
                go(Put { i, rest })
            }
            Put { i, rest } => {
                k.put_page(i.pfn);
                next(i.at, rest)
            }
        }
    }

    /// The fault that breaks a half-merged pair is over.
    pub fn after_fault(self, k: &mut Kernel, result: FaultResult) -> Next {
        let Break { i, tree, b } = self else {
            return go(self);
        };
        let going = b.after_fault(k, result);
        broken(k, i, tree, going)
    }
}

fn go(p: Ksm) -> Next {
    Next::Call {
        call: Call::Ksm { p },
    }
}

/// ksmd is done with the page at `at`: on to the next one, to which this one is the unstable tree unless it was merged.
fn next(at: RmapItem, rest: Rest) -> Next {
    match rest.next {
        Some(next) => go(Enter {
            at: next,
            rest: Rest {
                next: None,
                tree: (!rest.merged).then_some(at),
                ..rest
            },
        }),
        None => Next::Return {
            result: if rest.merged {
                Ok(())
            } else {
                Err(Errno::Ebusy)
            },
        },
    }
}

/// `find_mergeable_vma` under mmap_lock, which is kept if there is one.
fn enter(k: &mut Kernel, at: RmapItem) -> bool {
    k.mmap_read_lock(at.mm);
    let found = find_mergeable_vma(k, at);
    if !found {
        k.mmap_read_unlock(at.mm);
    }
    found
}

/// `find_mergeable_vma`. Under mmap_lock. Not in a process that exits (`ksm_test_exit`).
fn find_mergeable_vma(k: &mut Kernel, at: RmapItem) -> bool {
    let vma = *k.vma(at.mm, at.va);
    vma.mapped && vma.mergeable && k.mmget_not_zero(at.mm)
}

/// The anonymous page that is mapped at `at`, with a reference. Under the page-table lock.
fn follow(k: &mut Kernel, at: RmapItem) -> Option<Pfn> {
    let pfn = k.pte(at.mm, at.va).normal_page()?;
    if !k.page(pfn).anon() {
        return None;
    }
    k.get_page(pfn);
    Some(pfn)
}

/// `stable_tree_search`. A KSM page with the same contents is referenced, under a trylock that makes sure that migration, which
/// holds the folio lock, notices the reference.
fn search(k: &mut Kernel, i: Item, rest: Rest) -> Next {
    if k.page(i.pfn).ksm() {
        // Merged before, or shared with a page that was by fork.
        let rest = Rest {
            merged: true,
            ..rest
        };
        return go(Put { i, rest });
    }
    let mut found = [Pfn::ZERO; MAX_FRAMES];
    let mut n = 0;
    for pfn in Pfn::all(k.cfg.sizes.frames) {
        let page = *k.page(pfn);
        if page.kind == PageKind::Ksm && !page.frozen && k.pages_identical(i.pfn, pfn) {
            found[n] = pfn;
            n += 1;
        }
    }
    if n == 0 {
        return match rest.tree {
            Some(tree) => go(TreeEnter { i, tree, rest }),
            None => go(Put { i, rest }),
        };
    }
    let kpage = found[k.choose(n as u8) as usize];
    if k.page(kpage).locked {
        return go(Put { i, rest });
    }
    k.get_page(kpage);
    go(Merge {
        p: TryToMerge::Lock {
            i,
            kpage: Some(kpage),
        },
        part: Part::Stable { rest },
    })
}

/// A page of a pair is merged or is not: what is next?
fn after_merge(i: Item, kpage: Option<Pfn>, merged: bool, part: Part) -> Next {
    match (part, kpage) {
        (Part::Stable { rest }, Some(kpage)) if merged => go(Append { i, kpage, rest }),
        (Part::Stable { rest }, Some(kpage)) => go(PutTree {
            i,
            tree: kpage,
            rest,
        }),
        (Part::Stable { rest }, None) => go(Put { i, rest }),
        (Part::First { tree }, _) if merged => go(Merge {
            p: TryToMerge::Lock {
                i: tree,
                kpage: Some(i.pfn),
            },
            part: Part::Second { first: i },
        }),
        (Part::First { tree }, _) => end_of_pair(i, tree, false),
        (Part::Second { first }, _) if merged => go(Insert { i: first, tree: i }),
        (Part::Second { first }, _) => go(BreakEnter { i: first, tree: i }),
    }
}

fn broken(k: &mut Kernel, i: Item, tree: Item, going: Breaking) -> Next {
    match going {
        Breaking::On(b) => go(Break { i, tree, b }),
        Breaking::Fault(b, fault) => Next::Fault {
            call: Call::Ksm {
                p: Break { i, tree, b },
            },
            fault,
        },
        Breaking::Over(_) => {
            k.mmap_read_unlock(i.at.mm);
            end_of_pair(i, tree, false)
        }
    }
}

/// ksmd is done with a pair, which is the end of the pass.
fn end_of_pair(i: Item, tree: Item, merged: bool) -> Next {
    go(PutTree {
        i,
        tree: tree.pfn,
        rest: Rest {
            next: None,
            tree: None,
            merged,
        },
    })
}

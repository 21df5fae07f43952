//! The test as a program can run it: with what a program has in place of what it has not. The model then runs *that* test, so what it says is said
//! of the program.

use cowherd_litmus::ast::{
    Activity, Advice, Contents, FileSystem, Heat, PageInit, Swap, SwapDevice, Test,
};

/// Why a test is not written as a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A refusal, as a result.
pub fn refuse<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

/// What takes the place of what, for the reader of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substituted {
    /// The test that the program runs.
    pub test: Test,
    /// What was replaced.
    pub notes: Vec<String>,
}

/// FUSE for every file system, zram for the swap device, `MADV_PAGEOUT` for reclaim, a registered buffer for a pin.
pub fn substitute(test: &Test) -> Result<Substituted, Refusal> {
    let mut notes = Vec::new();
    let mut test = test.clone();
    limits(&test)?;
    for file in &mut test.files {
        match file.on {
            FileSystem::Fuse => {}
            FileSystem::Shmem => return refuse("files on shmem"),
            on => {
                notes.push(format!("file {} is on FUSE, not on {on}", file.name));
                file.on = FileSystem::Fuse;
            }
        }
    }
    if test.swap.device != SwapDevice::None {
        let zram = Swap {
            device: SwapDevice::Sync,
            stable: true,
            ..test.swap
        };
        if uses_swap(&test) && zram != test.swap {
            notes.push("the swap device is zram, whose I/O ends in the call".into());
        }
        test.swap = zram;
    }
    for statement in test.kernel.iter_mut().flat_map(|k| &mut k.activities) {
        if let Activity::Reclaim { at } = statement.activity {
            notes.push("MADV_PAGEOUT does what reclaim does".into());
            statement.activity = Activity::Madvise {
                at,
                advice: Advice::PageOut,
            };
        }
    }
    if holders(&mut test) {
        notes.push("an io_uring buffer is registered where a driver pins".into());
    }
    notes.dedup();
    Ok(Substituted { test, notes })
}

/// A registered buffer in the place of each pin for writing and for long, which is the same. Was there any?
fn holders(test: &mut Test) -> bool {
    use cowherd_litmus::ast::{Call, Foll, HandleKind};
    let mut any = false;
    for thread in &mut test.threads {
        for stmt in &mut thread.stmts {
            match &stmt.call {
                Call::Pin {
                    handle,
                    page,
                    flags,
                } if flags[..] == [Foll::Write, Foll::LongTerm] => {
                    if let Some(handle) = handle {
                        thread.handles[handle.index()].kind = HandleKind::Buffer;
                    }
                    stmt.call = Call::RegisterBuffer {
                        handle: *handle,
                        page: *page,
                    };
                    any = true;
                }
                // Only what was a pin, and comes later than it.
                Call::Release { handle }
                    if thread.handles[handle.index()].kind == HandleKind::Buffer =>
                {
                    stmt.call = Call::Unregister { buffer: *handle };
                }
                _ => {}
            }
        }
    }
    any
}

/// Does anything swap pages out?
pub fn uses_swap(test: &Test) -> bool {
    use cowherd_litmus::ast::Call;
    let out = |advice: Advice| advice == Advice::PageOut;
    let calls = test
        .threads
        .iter()
        .flat_map(|t| &t.stmts)
        .any(|s| match s.call {
            Call::Madvise { advice, .. } | Call::ProcessMadvise { advice, .. } => out(advice),
            _ => false,
        });
    let activities = test.kernel.iter().flat_map(|k| &k.activities);
    let mut activities = activities.map(|s| &s.activity);
    calls
        || test.pages.iter().any(|page| page.attributes.swapped)
        || activities.any(|activity| {
            matches!(activity, Activity::Reclaim { .. })
                || matches!(activity, Activity::Madvise { advice, .. } if out(*advice))
        })
}

/// What a program cannot arrange.
fn limits(test: &Test) -> Result<(), Refusal> {
    if let Some(failure) = test.failures.first() {
        return refuse(format!("a failure ({failure}) cannot be provoked"));
    }
    if test.frames.is_some() {
        return refuse("the number of frames cannot be set");
    }
    if test.tlb.iter().any(|tlb| tlb.heat != Heat::Cold) {
        return refuse("what a TLB holds cannot be forced");
    }
    if test.swap.slots != Swap::default().slots && test.swap.device != SwapDevice::None {
        return refuse("the number of swap slots cannot be set");
    }
    test.pages.iter().try_for_each(page)
}

fn page(page: &PageInit) -> Result<(), Refusal> {
    let a = &page.attributes;
    let states = [
        (a.wrprotected, "wrprotected"),
        (a.batch.is_some(), "batch"),
        (a.cached, "cached"),
        (a.writeback, "writeback"),
        (a.ksm.is_some(), "ksm"),
        (a.protnone, "protnone"),
        (a.tracked, "tracked"),
        (a.crowded, "crowded"),
        (
            a.dirty != a.dirty_by_default(&page.contents),
            "clean or dirty",
        ),
    ];
    let name = &page.name;
    if let Some((_, state)) = states.iter().find(|(is, _)| *is) {
        return refuse(format!(
            "{name} cannot be brought to be `{state}` at the start"
        ));
    }
    if matches!(page.contents, Contents::File { .. }) {
        return refuse(format!("{name} maps a file"));
    }
    Ok(())
}

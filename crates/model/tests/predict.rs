//! What a stepped test may show.

use std::collections::BTreeSet;

use cowherd_model::kernels::Kernels;
use cowherd_model::predict::{Belief, Frame, Page, Predictor, Told, Turn, View, orders};

const SWAP_STEPS: &str = "
MM odirect-swap-steps
{
    anon x[2] = { 0, 0 };
    file f on nfs = { 7 };
    swap async;
}
P0 in A {
    io0 = read_submit(f[0], x[0]);
    madvise(x, MADV_PAGEOUT);
    r0 = x[1];
    x[1] = 1;
    wait(io0);
}
exists (A:x[0]=0)
";

fn predictor(text: &str, kernel: &str) -> Predictor {
    let test = cowherd_litmus::parse("test.litmus", text).expect("the test is right");
    let profile = Kernels::shipped()
        .profile(kernel)
        .expect("a kernel")
        .profile;
    Predictor::new(&test, &profile, 100_000).expect("the model runs it")
}

fn after(p: &Predictor, order: &[Turn]) -> Belief {
    order.iter().fold(p.start(), |mut belief, &turn| {
        belief.look_away(p);
        p.turn(&belief, turn).expect("few states")
    })
}

#[test]
fn the_mails_read_is_lost_at_call_grain_before_the_fix_and_not_after() {
    let last = |kernel| {
        let p = predictor(SWAP_STEPS, kernel);
        let mut outcomes = BTreeSet::new();
        let all = orders(&p, 100, 1);
        assert!(!all.sampled);
        for order in &all.orders {
            outcomes.extend(after(&p, order).outcomes(&p));
        }
        outcomes
    };
    assert_eq!(last("v5.18"), BTreeSet::from([vec![0], vec![7]]));
    assert_eq!(last("v6.1"), BTreeSet::from([vec![7]]));
}

#[test]
fn a_held_read_leaves_the_page_swapped_out_and_the_write_copies_or_not() {
    let see = |kernel| {
        let p = predictor(SWAP_STEPS, kernel);
        let turns = [Turn::Task(0); 4];
        let pages: Vec<BTreeSet<Page>> = (1..=4)
            .map(|n| {
                let belief = after(&p, &turns[..n]);
                belief.views(&p).into_iter().map(|v| v.pages[0]).collect()
            })
            .collect();
        pages
    };
    let same = Page::Present(Frame::Same);
    let old = see("v5.18");
    assert_eq!(old[0], BTreeSet::from([same]));
    assert!(old[1].contains(&Page::Swapped));
    assert!(
        old[3].contains(&Page::Present(Frame::Other)),
        "copied: {old:?}"
    );
    let new = see("v6.1");
    assert!(
        !new[3].contains(&Page::Present(Frame::Other)),
        "reused: {new:?}"
    );
}

#[test]
fn a_turn_that_cannot_be_taken_changes_nothing() {
    let p = predictor(SWAP_STEPS, "v6.1");
    let start = p.start();
    assert!(!start.can(&p, Turn::Complete(0)));
    let views = p
        .turn(&start, Turn::Complete(0))
        .expect("few states")
        .views(&p);
    assert_eq!(views, start.views(&p));
}

#[test]
fn who_waits_for_a_resolution_is_seen_to_wait() {
    let text = "
MM wp
{ anon u = 1 uffd(wp, protected); }
P0 in A { u = 2; }
P1 in A { uffd_unprotect(u); }
exists (u=2)
";
    let p = predictor(text, "v6.12");
    let mut belief = after(&p, &[Turn::Task(0)]);
    assert!(belief.views(&p).iter().all(|v| v.waiting == 1));
    belief.look_away(&p);
    let belief = p.turn(&belief, Turn::Task(1)).expect("few states");
    assert!(belief.views(&p).iter().all(|v| v.waiting == 0));
    assert_eq!(belief.outcomes(&p), BTreeSet::from([vec![2]]));
}

/// What else may be told of a page.
fn told(belief: &Belief, p: &Predictor, page: usize) -> BTreeSet<Told> {
    belief.views(p).iter().map(|view| view.told[page]).collect()
}

#[test]
fn the_swap_cache_is_seen_and_what_shows_otherwise_is_forbidden() {
    let text = "
MM cached
{ anon x = 1; swap async; }
P0 in A { madvise(x, MADV_PAGEOUT); r0 = x; x = 2; }
exists (x=2)
";
    let p = predictor(text, "v6.1");
    let mut belief = after(&p, &[Turn::Task(0)]);
    let gone = |view: &View| view.pages[0] == Page::Swapped;
    let out = belief.views(&p).into_iter().find(gone);
    assert!(belief.keep(&p, &out.expect("it may go")));
    // The load is a read fault: the page stays in the cache; also after the store, for it is exclusive and reused.
    let belief = p.turn(&belief, Turn::Task(0)).expect("few states");
    let cached = |is| Told {
        merged: Some(false),
        cached: Some(is),
        protected: Some(false),
    };
    assert_eq!(told(&belief, &p, 0), BTreeSet::from([cached(true)]));
    let views = belief.views(&p);
    let seen = |cached: Option<bool>| {
        let mut view = views.first().expect("something is seen").clone();
        view.told[0].cached = cached;
        belief.clone().keep(&p, &view)
    };
    assert!(seen(Some(true)) && seen(None) && !seen(Some(false)));
    let words = views.first().expect("a view").text(&p.program);
    assert!(words.ends_with(", in the swap cache"), "{words}");
    let belief = p.turn(&belief, Turn::Task(0)).expect("few states");
    assert_eq!(told(&belief, &p, 0), BTreeSet::from([cached(true)]));
    // 5.10 sees the cache's reference and copies: the copy is in no cache.
    let p = predictor(text, "v5.10");
    let belief = after(&p, &[Turn::Task(0); 3]);
    assert!(told(&belief, &p, 0).contains(&cached(false)));
}

#[test]
fn a_write_fault_that_maps_writable_leaves_the_swap_cache_until_7_0() {
    let text = "
MM swap-in-to-write
{ anon x = 1 swapped, cached; swap async; }
P0 in A { x = 2; }
exists (x=2)
";
    let cached = |kernel| -> BTreeSet<Option<bool>> {
        let p = predictor(text, kernel);
        let after = after(&p, &[Turn::Task(0)]);
        told(&after, &p, 0).iter().map(|t| t.cached).collect()
    };
    assert_eq!(cached("v6.1"), BTreeSet::from([Some(false)]));
    assert_eq!(cached("v7.2"), BTreeSet::from([Some(true)]));
}

/// Seen on 7.2 (a random program). Soft-dirty tracking wants the fault, so the page is mapped read-only: the write is still one when
/// should_try_to_free_swap() is asked, and do_wp_page() takes it from there.
#[test]
fn a_write_fault_that_tracking_wants_leaves_the_swap_cache_on_7_0_too() {
    let text = "
MM tracked-write
{ anon x = 1 swapped, cached, tracked; swap async; }
P0 in A { x = 2; }
exists (x=2)
";
    for kernel in ["v6.1", "v6.12", "v7.2"] {
        let p = predictor(text, kernel);
        let belief = after(&p, &[Turn::Task(0)]);
        let cached = told(&belief, &p, 0).iter().map(|t| t.cached).collect();
        assert_eq!(BTreeSet::from([Some(false)]), cached, "{kernel}");
        assert_eq!(belief.outcomes(&p), BTreeSet::from([vec![2]]), "{kernel}");
    }
}

#[test]
fn a_merge_and_a_protection_are_seen() {
    let text = "
MM merged
{ anon x = 1; anon y = 1; }
P0 in A { r0 = x; }
kernel { ksm(x, y); }
exists (true)
";
    let p = predictor(text, "v6.1");
    let merged = |belief: &Belief| -> BTreeSet<Option<bool>> {
        told(belief, &p, 0).iter().map(|told| told.merged).collect()
    };
    assert_eq!(merged(&p.start()), BTreeSet::from([Some(false)]));
    let after_ksm = merged(&after(&p, &[Turn::Task(1)]));
    assert!(after_ksm.contains(&Some(true)), "{after_ksm:?}");
    let text = "
MM protected
{ anon u = 1 uffd(wp, protected); }
P0 in A { uffd_unprotect(u); }
exists (true)
";
    let p = predictor(text, "v6.12");
    let protected = |belief: &Belief| -> BTreeSet<Option<bool>> {
        told(belief, &p, 0).iter().map(|t| t.protected).collect()
    };
    assert_eq!(protected(&p.start()), BTreeSet::from([Some(true)]));
    let after = after(&p, &[Turn::Task(0)]);
    assert_eq!(protected(&after), BTreeSet::from([Some(false)]));
}

#[test]
fn orders_keep_what_must_come_first() {
    let text = "
MM order
{ anon x[2] = { 0, 0 }; file f = { 7, 0 }; }
P0 in A { fork(B) { r0 = x[1]; exit(); } pread(f[0], x[0], O_DIRECT); x[1] = 2; waitpid(B); }
exists (x[1]=2)
";
    let p = predictor(text, "v6.12");
    let all = orders(&p, 1000, 1);
    assert!(!all.sampled);
    // P0: fork, pread, completion, store, waitpid in this order; B's two calls anywhere between the fork and the waitpid.
    assert_eq!(all.orders.len(), 10);
    for order in &all.orders {
        assert_eq!(order[0], Turn::Task(0));
        assert_eq!(order[order.len() - 1], Turn::Task(0));
    }
    assert!(orders(&p, 3, 1).sampled);
    assert_eq!(orders(&p, 3, 1).orders.len(), 3);
}

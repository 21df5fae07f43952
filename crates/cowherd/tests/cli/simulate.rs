//! Random walks, and the tests that are made of what they break.

use crate::Cowherd;

const WIDE: &str = "--processes 8 --pages 64 --calls 3000 --walks 200 --max-states 300000";

#[test]
fn what_a_walk_breaks_is_a_test_that_check_judges_the_same() {
    for kernel in ["v5.10", "v5.19-swp_exclusive"] {
        let c = Cowherd::new();
        c.run(&format!(
            "simulate -k {kernel} {WIDE} --allow load,store,fork,pread,reclaim --write found"
        ))
        .ends(1)
        .says("breaks a promise");
        let tests = std::fs::read_dir(c.folder.path().join("found")).unwrap();
        let test = tests.map(|file| file.unwrap().file_name()).next().unwrap();
        let test = format!("found/{}", test.display());
        assert!(c.read(&test).contains(&format!("Result: {kernel} ")));
        c.run(&format!("check {test} -k {kernel}"))
            .ends(0)
            .says("as expected");
        c.run(&format!("check {test} -k v7.2"))
            .ends(0)
            .says("Never");
    }
}

#[test]
fn walks_of_a_kernel_that_is_right_end_well_and_say_how_far_they_came() {
    let c = Cowherd::new();
    c.run("simulate -k v7.2 --processes 8 --pages 64 --calls 2000 --walks 2 --allow load,store,fork,pread,reclaim")
        .ends(0)
        .says("2 walks from seed 1, 4,000 calls")
        .says("nothing was broken");
    c.run("simulate -k v7.2 --walks 1000000 --calls 2000 --timeout 1")
        .ends(3)
        .says("out of time: nothing was broken so far");
}

#[test]
fn what_there_is_no_room_for_is_refused() {
    let c = Cowherd::new();
    for beyond in ["--processes 9", "--pages 65", "--calls 0", "--calls 70000"] {
        c.run(&format!("simulate -k v7.2 {beyond}")).ends(2);
    }
    c.run("simulate -k v7.2 --processes 8 --threads 4")
        .ends(2)
        .complains("34 at once; there is room for 31");
    c.run("simulate -k v7.2 --allow store,mremap")
        .ends(2)
        .complains("random walks do not know `mremap`");
}

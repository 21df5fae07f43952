//! `cowherd diff`: its table.

use crate::Cowherd;

/// The pairs of a table.
fn pairs(args: &str) -> Vec<(String, String)> {
    let c = Cowherd::new();
    let args = format!("diff --table --calls 1 --allow store {args}");
    let ran = c.run(args.trim());
    let ran = ran.ends(0);
    let rows = ran.out.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        (cells[1].to_string(), cells[2].to_string())
    })
    .collect()
}

#[test]
fn a_table_is_of_releases_of_features_or_of_both() {
    let releases = pairs("--releases");
    assert!(
        releases.contains(&("part2".into(), "v5.19".into())),
        "{releases:?}"
    );
    assert!(
        releases.windows(2).all(|pair| pair[0].1 == pair[1].0),
        "{releases:?}"
    );

    let newest = &releases.last().unwrap().1;
    let features = pairs("--features fork_flush,unshare");
    let without = |what: &str| (newest.clone(), format!("{newest}-{what}"));
    // Others need it, and go with it.
    let unshare = without("unshare-longterm_cow-ksm_unshare");
    assert_eq!(features, [without("fork_flush"), unshare]);

    let both = pairs("--releases --features fork_flush,unshare");
    assert_eq!(both, [&releases[..], &features[..]].concat());

    let all = pairs("");
    assert_eq!(all[..releases.len()], releases[..]);
    assert!(all.len() > releases.len() + features.len());
}

//! Two traces of one schedule, step beside step: the same up to where the kernels part, then call beside call.

use cowherd_model::witness::Trace;

use crate::witness::Group;

/// A line of the schedule: the step that each kernel takes in it.
pub type Row = Vec<Option<usize>>;

/// Lines that belong to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// For each kernel, the number of its group.
    pub groups: Vec<Option<usize>>,
    /// The lines.
    pub rows: Vec<Row>,
}

/// The blocks of one trace by itself.
pub fn single(groups: &[Group]) -> Vec<Block> {
    groups
        .iter()
        .enumerate()
        .map(|(n, group)| Block {
            groups: vec![Some(n)],
            rows: group.steps.clone().map(|at| vec![Some(at)]).collect(),
        })
        .collect()
}

/// The blocks of two traces that are the same for `shared` steps. Each kernel's steps stay in their order.
pub fn pair(traces: [&Trace; 2], groups: [&[Group]; 2], shared: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut next = 0;
    for (n, a) in groups[0].iter().enumerate() {
        if a.steps.start < shared {
            next = next.max(n);
        }
        let same = |b: &Group| b.actor == a.actor && b.call == a.call;
        let left = groups[1].get(next..).unwrap_or_default();
        let found = left
            .iter()
            .position(|b| same(b) && (b.steps.start == a.steps.start || b.steps.end > shared));
        let Some(skip) = found else {
            blocks.push(block([Some((n, a)), None], Vec::new()));
            continue;
        };
        for (at, b) in left[..skip].iter().enumerate() {
            blocks.push(block([None, Some((next + at, b))], Vec::new()));
        }
        let b = &left[skip];
        let rows = align(traces, [a, b], shared);
        blocks.push(block([Some((n, a)), Some((next + skip, b))], rows));
        next += skip + 1;
    }
    for (at, b) in groups[1].iter().enumerate().skip(next) {
        blocks.push(block([None, Some((at, b))], Vec::new()));
    }
    blocks
}

/// A block; without lines given, those of its one group.
fn block(sides: [Option<(usize, &Group)>; 2], rows: Vec<Row>) -> Block {
    let rows = if rows.is_empty() {
        let line = |side: usize, at| {
            let mut row = vec![None; 2];
            row[side] = Some(at);
            row
        };
        let steps = |side: usize| sides[side].map(|(_, group)| group.steps.clone());
        (0..2)
            .filter_map(|side| steps(side).map(|range| (side, range)))
            .flat_map(|(side, range)| range.map(move |at| line(side, at)))
            .collect()
    } else {
        rows
    };
    Block {
        groups: sides.iter().map(|side| side.map(|(n, _)| n)).collect(),
        rows,
    }
}

/// The steps of two groups side by side: those of the same function together, by the longest common sequence.
fn align(traces: [&Trace; 2], groups: [&Group; 2], shared: usize) -> Vec<Row> {
    let (mut i, mut j) = (groups[0].steps.start, groups[1].steps.start);
    let mut rows = Vec::new();
    while i < groups[0].steps.end && j < groups[1].steps.end && i == j && i < shared {
        rows.push(vec![Some(i), Some(j)]);
        i += 1;
        j += 1;
    }
    let (a, b) = (i..groups[0].steps.end, j..groups[1].steps.end);
    let same = |i: usize, j: usize| {
        let (x, y) = (&traces[0].steps[i], &traces[1].steps[j]);
        (&x.label, &x.function) == (&y.label, &y.function)
    };
    let mut longest = vec![vec![0; b.len() + 1]; a.len() + 1];
    for x in (0..a.len()).rev() {
        for y in (0..b.len()).rev() {
            longest[x][y] = if same(a.start + x, b.start + y) {
                longest[x + 1][y + 1] + 1
            } else {
                longest[x + 1][y].max(longest[x][y + 1])
            };
        }
    }
    let (mut x, mut y) = (0, 0);
    while x < a.len() || y < b.len() {
        let both = x < a.len() && y < b.len();
        if both && same(a.start + x, b.start + y) {
            rows.push(vec![Some(a.start + x), Some(b.start + y)]);
            (x, y) = (x + 1, y + 1);
        } else if y == b.len() || both && longest[x + 1][y] >= longest[x][y + 1] {
            rows.push(vec![Some(a.start + x), None]);
            x += 1;
        } else {
            rows.push(vec![None, Some(b.start + y)]);
            y += 1;
        }
    }
    rows
}

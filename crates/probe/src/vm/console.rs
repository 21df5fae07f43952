//! What the kernel wrote to the guest's console: which complaints belong to which test.

/// Where a test begins; init writes it into the kernel's log, so that it is in order with what the kernel says.
pub fn mark(test: usize) -> String {
    format!("cowherd: test {test} begins")
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The kernel goes on, and nothing is wrong with its memory: a warning, a lockup of a slow machine.
    Warning,
    /// The kernel found itself broken.
    Broken,
}

/// How the lines begin with which the kernel complains.
const COMPLAINTS: [(&str, Severity); 12] = [
    // A virtual machine that gets no time of its host looks like this too.
    ("soft lockup", Severity::Warning),
    ("rcu_sched detected", Severity::Warning),
    ("rcu_preempt detected", Severity::Warning),
    ("blocked for more than", Severity::Warning),
    ("WARNING: ", Severity::Warning),
    ("Kernel panic - not syncing", Severity::Broken),
    ("kernel BUG at", Severity::Broken),
    ("BUG: ", Severity::Broken),
    ("Oops: ", Severity::Broken),
    ("general protection fault", Severity::Broken),
    ("invalid opcode:", Severity::Broken),
    ("unable to handle", Severity::Broken),
];

/// Lines of a trace that are kept.
const LONGEST: usize = 100;

/// What the kernel complained of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The worst of it.
    pub severity: Severity,
    /// From its first line on.
    pub text: String,
}

/// What the kernel said while this test ran.
pub fn during(console: &str, test: usize) -> &str {
    // Marks are whole lines: test 1 is not test 10.
    let mark = mark(test);
    let begin = console.match_indices(&mark).find_map(|(at, _)| {
        let after = &console[at + mark.len()..];
        after.starts_with(['\r', '\n']).then_some(after)
    });
    let after = begin.unwrap_or_default();
    after.split("cowherd: test ").next().unwrap_or(after)
}

/// The complaints in this part of the console.
pub fn trace(part: &str) -> Option<Trace> {
    let severity = |line: &str| {
        let of = |(text, severity): &(&str, Severity)| line.contains(text).then_some(*severity);
        COMPLAINTS.iter().find_map(of)
    };
    let first = part.lines().position(|line| severity(line).is_some())?;
    let worst = part.lines().filter_map(severity).max()?;
    Some(Trace {
        severity: worst,
        text: lines(part.lines().skip(first).take(LONGEST)),
    })
}

/// The line in which the kernel panicked.
pub fn panic(part: &str) -> Option<String> {
    let at = part.find("Kernel panic - not syncing")?;
    Some(lines(part[at..].lines().take(1)))
}

/// The last lines, where there is no complaint to begin with.
pub fn tail(part: &str, count: usize) -> String {
    let all: Vec<&str> = part.lines().collect();
    lines(all[all.len().saturating_sub(count)..].iter().copied())
}

fn lines<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let clean = |line: &str| -> String {
        let printable = |c: &char| !c.is_control() || *c == '\t';
        line.trim_end().chars().filter(printable).collect()
    };
    let all: Vec<String> = all.map(clean).collect();
    all.join("\n").trim_matches('\n').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "\
[    0.1] Linux version\r
[    1.0] cowherd: test 0 begins\r
[    1.1] zram0: detected capacity change\r
[    1.2] cowherd: test 1 begins\r
[    1.3] WARNING: CPU: 0 PID: 60 at mm/memory.c:1 zap\r
[    1.4] BUG: Bad page state in process init  pfn:1234\r
[    1.5] Call Trace:\r
[    1.6] cowherd: test 10 begins\r
[    1.7] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!\r
";

    #[test]
    fn a_complaint_belongs_to_the_test_that_ran() {
        assert_eq!(trace(CONSOLE.lines().next().unwrap()), None);
        assert_eq!(trace(during(CONSOLE, 0)), None);
        let found = trace(during(CONSOLE, 1)).unwrap();
        assert_eq!(found.severity, Severity::Broken);
        assert!(
            found.text.starts_with("[    1.3] WARNING"),
            "{}",
            found.text
        );
        assert!(
            found.text.ends_with("Call Trace:\n[    1.6]"),
            "{}",
            found.text
        );
    }

    #[test]
    fn a_slow_host_is_no_broken_kernel() {
        let found = trace(during(CONSOLE, 10)).unwrap();
        assert_eq!(found.severity, Severity::Warning);
    }

    #[test]
    fn the_line_of_a_panic_is_found() {
        assert_eq!(panic(CONSOLE), None);
        let console = "[ 1.0] x\n[ 1.1] Kernel panic - not syncing: No init\r\n[ 1.2] y\n";
        let line = "Kernel panic - not syncing: No init";
        assert_eq!(panic(console).as_deref(), Some(line));
    }

    #[test]
    fn without_a_complaint_the_last_lines_are_told() {
        assert_eq!(tail("a\r\nb\x1b\r\nc\r\n", 2), "b\nc");
    }
}

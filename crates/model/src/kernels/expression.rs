//! The syntax of profile expressions: `BASE [/ARCH] {+FEATURE | -FEATURE}`.

use super::ProfileError;

/// An expression, taken apart. Nothing in it is known to mean anything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression<'a> {
    /// A release or the name of a kernel.
    pub base: &'a str,
    /// The architecture, if one is named.
    pub arch: Option<&'a str>,
    /// The changes, in the order they are written.
    pub changes: Vec<Change<'a>>,
}

/// A feature to add or to take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub what: Sign,
    /// The name of a feature or the beginning of a commit id.
    pub word: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Add,
    Remove,
}

impl<'a> Expression<'a> {
    /// Takes `text` apart. The names of architectures are needed because some contain a `-`.
    pub fn parse(text: &'a str, arches: &[&str]) -> Result<Expression<'a>, ProfileError> {
        let wrong = |why: &str| ProfileError::Syntax {
            text: text.to_string(),
            why: why.to_string(),
        };
        let (base, rest) = split(text.trim(), ['/', '+', '-']);
        if base.is_empty() {
            return Err(wrong("it names no release"));
        }
        let (arch, mut rest) = match rest.strip_prefix('/') {
            Some(rest) => {
                let (arch, rest) = split_arch(rest, arches);
                (Some(arch), rest)
            }
            None => (None, rest),
        };
        if arch.is_some_and(str::is_empty) {
            return Err(wrong("no architecture after `/`"));
        }
        let mut changes = Vec::new();
        while let Some(sign) = rest.chars().next() {
            let what = match sign {
                '+' => Sign::Add,
                '-' => Sign::Remove,
                _ => return Err(wrong("the architecture comes before the features")),
            };
            let word;
            (word, rest) = split(&rest[1..], ['/', '+', '-']);
            if word.is_empty() {
                return Err(wrong(&format!("no feature after `{sign}`")));
            }
            changes.push(Change { what, word });
        }
        Ok(Expression {
            base,
            arch,
            changes,
        })
    }
}

/// The text before and from the first of these characters.
fn split(text: &str, at: [char; 3]) -> (&str, &str) {
    text.split_at(text.find(at).unwrap_or(text.len()))
}

/// The longest known architecture that `text` begins with, and the rest; else what looks like one.
fn split_arch<'a>(text: &'a str, arches: &[&str]) -> (&'a str, &'a str) {
    let ends_name = |rest: &str| rest.is_empty() || rest.starts_with(['+', '-']);
    arches
        .iter()
        .filter(|arch| text.strip_prefix(**arch).is_some_and(ends_name))
        .map(|arch| text.split_at(arch.len()))
        .max_by_key(|(arch, _)| arch.len())
        .unwrap_or_else(|| split(text, ['/', '+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expression<'_>, ProfileError> {
        Expression::parse(text, &["x86", "x86-64", "riscv"])
    }

    fn taken_apart(text: &str) -> String {
        let expression = parse(text).unwrap();
        let mut out = format!("{} {:?}", expression.base, expression.arch.unwrap_or(""));
        for change in expression.changes {
            out += &format!(" {:?} {}", change.what, change.word);
        }
        out
    }

    #[test]
    fn an_expression_is_a_base_an_architecture_and_changes() {
        assert_eq!(taken_apart("v5.18"), r#"v5.18 """#);
        assert_eq!(taken_apart(" v5.18+a-b "), r#"v5.18 "" Add a Remove b"#);
        assert_eq!(taken_apart("v5.19/riscv"), r#"v5.19 "riscv""#);
        assert_eq!(
            taken_apart("v5.19/riscv+foo-bar"),
            r#"v5.19 "riscv" Add foo Remove bar"#
        );
    }

    #[test]
    fn a_dash_may_belong_to_the_architecture() {
        assert_eq!(taken_apart("v5.19/x86-64"), r#"v5.19 "x86-64""#);
        assert_eq!(
            taken_apart("v5.19/x86-64-unshare"),
            r#"v5.19 "x86-64" Remove unshare"#
        );
        assert_eq!(
            taken_apart("v5.19/x86-unshare"),
            r#"v5.19 "x86" Remove unshare"#
        );
    }

    #[test]
    fn half_an_expression_is_refused() {
        for text in [
            "",
            "+a",
            "v6.1+",
            "v6.1/",
            "v6.1+-a",
            "v6.1+a/riscv",
            "v6.1/a/b",
        ] {
            assert!(
                matches!(parse(text), Err(ProfileError::Syntax { .. })),
                "{text}"
            );
        }
    }
}

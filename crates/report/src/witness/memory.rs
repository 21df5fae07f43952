//! What is known of the memory at some step: the changes up to there, added up.

use std::collections::BTreeMap;

use cowherd_model::diff::Change;

/// The values of all fields of all objects.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    values: BTreeMap<(String, String), String>,
    /// Where each page was mapped first, so that its cells have a name after it is unmapped.
    homes: BTreeMap<String, String>,
}

impl Memory {
    /// Takes changes in.
    pub fn apply(&mut self, changes: &[Change]) {
        for c in changes {
            if c.field.is_empty() && c.to == "free" {
                // What a page was is over; its next life begins with nothing.
                self.values.retain(|(object, _), _| *object != c.object);
                self.homes.remove(&c.object);
            }
            if c.field == "PTE"
                && let Some(page) = page_of_pte(&c.to)
            {
                self.homes.entry(page).or_insert_with(|| c.object.clone());
            }
            self.values
                .insert((c.object.clone(), c.field.clone()), c.to.clone());
        }
    }

    /// The value of a field; empty if it has none.
    pub fn get(&self, object: &str, field: &str) -> &str {
        self.values
            .get(&(object.to_string(), field.to_string()))
            .map_or("", String::as_str)
    }

    /// A count, such as `refcount`.
    pub fn count(&self, page: &str, field: &str) -> u32 {
        self.get(page, field).parse().unwrap_or(0)
    }

    /// The addresses whose PTE maps this page.
    pub fn mapped_at(&self, page: &str) -> Vec<&str> {
        self.values
            .iter()
            .filter(|((_, field), pte)| {
                field == "PTE" && page_of_pte(pte).is_some_and(|p| p == page)
            })
            .map(|((object, _), _)| object.as_str())
            .collect()
    }

    /// The variable that a page holds: the address that it was mapped at first.
    pub fn home(&self, page: &str) -> Option<&str> {
        self.homes.get(page).map(String::as_str)
    }

    /// A cell of a page as the test names it, `x[0]`; with its process where there are several.
    pub fn cell(&self, page: &str, field: &str) -> String {
        match self.home(page) {
            Some(home) => format!("{}{field}", self.short(home)),
            None => format!("cell {}", field.trim_matches(['[', ']'])),
        }
    }

    /// `x` for `A:x`, where there is one process.
    pub fn short<'a>(&self, address: &'a str) -> &'a str {
        match address.split_once(':') {
            Some((_, variable)) if self.processes() <= 1 => variable,
            _ => address,
        }
    }

    fn processes(&self) -> usize {
        self.values
            .keys()
            .filter(|(object, field)| object.starts_with("mm ") && field == "exists")
            .count()
    }

    /// Every field, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.values
            .iter()
            .map(|((object, field), value)| (object.as_str(), field.as_str(), value.as_str()))
    }
}

/// `page 1` of `page 1 R/O`.
pub fn page_of_pte(pte: &str) -> Option<String> {
    let number = pte.strip_prefix("page ")?.split(' ').next()?;
    Some(format!("page {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(object: &str, field: &str, to: &str) -> Change {
        Change {
            object: object.into(),
            field: field.into(),
            from: String::new(),
            to: to.into(),
        }
    }

    #[test]
    fn a_page_keeps_its_home_until_it_is_freed() {
        let mut m = Memory::default();
        m.apply(&[change("A:x", "PTE", "page 1 W dirty")]);
        assert_eq!(m.mapped_at("page 1"), ["A:x"]);
        m.apply(&[change("A:x", "PTE", "swap slot 0")]);
        assert!(m.mapped_at("page 1").is_empty());
        assert_eq!(m.cell("page 1", "[0]"), "x[0]");
        m.apply(&[change("page 1", "", "free")]);
        assert_eq!(m.home("page 1"), None);
    }

    #[test]
    fn page_1_is_not_page_12() {
        assert_eq!(page_of_pte("page 12 W").as_deref(), Some("page 12"));
        assert_eq!(page_of_pte("swap slot 1"), None);
        assert_eq!(page_of_pte("zero page R/O"), None);
    }
}

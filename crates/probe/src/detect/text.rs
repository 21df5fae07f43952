//! C as text to look into: without comments, without what is in strings, and one blank for any run of white space. So a pattern
//! matches however the source is laid out, and never a remark about the thing.

/// Text in which patterns are looked for, and the line that each byte is from.
#[derive(Clone, Debug, Default)]
pub struct Text {
    squeezed: String,
    /// Where lines begin in `squeezed`, ascending: (offset, number of the line).
    lines: Vec<(usize, usize)>,
}

impl Text {
    /// The lines of `code`, the first of which has this number. Comments are blanked already.
    fn new(code: &str, first: usize) -> Text {
        let mut text = Text::default();
        for (at, line) in code.lines().enumerate() {
            text.lines.push((text.squeezed.len(), first + at));
            for word in line.split_whitespace() {
                if !text.squeezed.is_empty() && !text.squeezed.ends_with(' ') {
                    text.squeezed.push(' ');
                }
                text.squeezed.push_str(word);
            }
            if !text.squeezed.is_empty() && !text.squeezed.ends_with(' ') {
                text.squeezed.push(' ');
            }
        }
        text
    }

    /// Where `pattern` is, from `start` on: its offset, and the one past its end. A name in the pattern is a whole name in the text.
    pub fn find(&self, pattern: &str, start: usize) -> Option<(usize, usize)> {
        let pattern = pattern.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = |b: Option<u8>| b.is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric());
        let text = self.squeezed.as_bytes();
        let (first, last) = (pattern.bytes().next(), pattern.bytes().last());
        let mut from = start;
        while let Some(at) = self.squeezed.get(from..)?.find(&pattern) {
            let (begin, end) = (from + at, from + at + pattern.len());
            let before = begin.checked_sub(1).map(|b| text[b]);
            let cut = name(first) && name(before) || name(last) && name(text.get(end).copied());
            if !cut {
                return Some((begin, end));
            }
            from = begin + 1;
        }
        None
    }

    /// The line that an offset is from.
    pub fn line(&self, offset: usize) -> usize {
        let after = self.lines.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).map_or(1, |at| self.lines[at].1)
    }

    /// The first line.
    pub fn first_line(&self) -> usize {
        self.lines.first().map_or(1, |(_, line)| *line)
    }
}

/// A source file.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it is, to show lines of it.
    original: String,
    /// With comments and the insides of strings blanked; the same lines.
    code: String,
}

impl Source {
    /// The file with these contents.
    pub fn new(original: String) -> Source {
        let code = blank(&original);
        Source { original, code }
    }

    /// All of it.
    pub fn whole(&self) -> Text {
        Text::new(&self.code, 1)
    }

    /// The definitions of a function, or of an inline one; several where configuration decides which.
    ///
    /// The kernel's layout is relied on: a definition begins in the first column and ends with the next `}` there.
    pub fn function(&self, name: &str) -> Vec<Text> {
        let lines: Vec<&str> = self.code.lines().collect();
        let call = format!("{name}(");
        let mut found = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            if !defines(lines[at], &call) {
                at += 1;
                continue;
            }
            match end_of(&lines, at) {
                Some(end) => {
                    found.push(Text::new(&lines[at..=end].join("\n"), at + 1));
                    at = end + 1;
                }
                None => at += 1,
            }
        }
        found
    }

    /// A line as it stands in the file, from 1.
    pub fn line(&self, number: usize) -> &str {
        let line = self.original.lines().nth(number.saturating_sub(1));
        line.unwrap_or_default().trim()
    }
}

/// May a definition of the function begin in this line?
fn defines(line: &str, call: &str) -> bool {
    let at_margin = line.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    at_margin
        && line.find(call).is_some_and(|at| {
            let before = line[..at].bytes().last();
            // Not the end of a longer name, and no call in an initialiser or macro.
            before.is_none_or(|b| b == b' ' || b == b'*' || b == b'\t')
                && !line[..at].contains(['=', '('])
        })
}

/// The last line of the definition that begins here; none: it is but a declaration.
fn end_of(lines: &[&str], start: usize) -> Option<usize> {
    let body = (start..lines.len()).find(|&at| {
        let line = lines[at].trim_end();
        line.contains('{') || line.ends_with(';')
    })?;
    if !lines[body].contains('{') {
        return None;
    }
    // All in one line.
    if lines[body].trim_end().ends_with('}') {
        return Some(body);
    }
    (body..lines.len()).find(|&at| lines[at].starts_with('}'))
}

/// Blanks comments and what is in strings, keeping the lines.
fn blank(text: &str) -> String {
    #[derive(PartialEq)]
    enum In {
        Code,
        Line,
        Block,
        Quoted(char),
    }
    let mut out = String::with_capacity(text.len());
    let mut state = In::Code;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match state {
            In::Code => match (c, chars.peek()) {
                ('/', Some('/')) => state = In::Line,
                ('/', Some('*')) => {
                    chars.next();
                    out.push_str("  ");
                    state = In::Block;
                    continue;
                }
                ('"' | '\'', _) => {
                    out.push(c);
                    state = In::Quoted(c);
                    continue;
                }
                _ => {
                    out.push(c);
                    continue;
                }
            },
            // A quote that is never closed is no string: an apostrophe in assembler, or a broken line.
            In::Line | In::Quoted(_) if c == '\n' => state = In::Code,
            In::Quoted(end) if c == end => {
                out.push(c);
                state = In::Code;
                continue;
            }
            In::Quoted(_) if c == '\\' => {
                // The character that is escaped, which may be the quote.
                if chars.next() == Some('\n') {
                    out.push('\n');
                }
            }
            In::Block if c == '*' && chars.peek() == Some(&'/') => {
                chars.next();
                state = In::Code;
            }
            In::Line | In::Block | In::Quoted(_) => {}
        }
        out.push(if c == '\n' { '\n' } else { ' ' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "\
/* do_wp_page() in a remark */
static vm_fault_t do_wp_page(struct vm_fault *vmf);
int other(void) { return do_wp_page(0); }
static vm_fault_t do_wp_page(struct vm_fault *vmf)
	__releases(vmf->ptl)
{
	// reuse_swap_page(page)
	pr_info(\"reuse_swap_page(\");
	if (page_count(page) !=
	    1)
		return my_lru_add_drain();
}
int after;
";

    #[test]
    fn a_function_is_found_by_its_definition_alone() {
        let source = Source::new(CODE.into());
        let found = source.function("do_wp_page");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].first_line(), 4);
        assert!(found[0].find("after", 0).is_none());
        assert_eq!(source.function("other").len(), 1);
    }

    #[test]
    fn remarks_and_strings_are_not_searched() {
        let text = Source::new(CODE.into()).whole();
        assert!(text.find("reuse_swap_page(", 0).is_none());
    }

    #[test]
    fn a_pattern_may_run_over_a_line_end_and_is_shown_where_it_begins() {
        let source = Source::new(CODE.into());
        let text = &source.function("do_wp_page")[0];
        let (at, _) = text.find("page_count(page) != 1", 0).unwrap();
        assert_eq!(source.line(text.line(at)), "if (page_count(page) !=");
    }

    #[test]
    fn a_name_is_a_whole_name() {
        let text = Source::new(CODE.into()).whole();
        assert!(text.find("lru_add_drain(", 0).is_none());
        assert!(text.find("my_lru_add_drain(", 0).is_some());
        assert!(text.find("vmf->pt", 0).is_none());
    }
}

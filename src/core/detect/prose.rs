//! Where a text is for its readers: in comments, and in long texts like those that describe a function.

use std::ops::Range;

/// How the languages of an ecosystem mark what is no code.
#[derive(Clone, Copy)]
pub struct Marks<'s> {
    /// Up to the end of the line.
    pub comments: &'s [String],
    pub blocks: &'s [[String; 2]],
    /// Of texts that may go over several lines.
    pub quotes: &'s [String],
    /// Of those that end in their line: no other mark counts in them.
    pub strings: &'s [String],
}

/// Each sorted and apart. What is opened and never closed is not among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Prose {
    comments: Vec<Range<usize>>,
    texts: Vec<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Comment,
    Block,
    Text,
    String,
}

struct Mark<'s> {
    kind: Kind,
    open: &'s [u8],
    close: &'s [u8],
}

impl Prose {
    /// Goes through a text once.
    #[must_use]
    pub fn of(text: &str, marks: Marks<'_>) -> Self {
        let (bytes, marks) = (text.as_bytes(), marks.all());
        let is_first = |byte: &u8| *byte == b'\\' || marks.iter().any(|mark| mark.open.first() == Some(byte));
        let firsts: [bool; 256] = std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(|byte| is_first(&byte)));
        // Up to where each mark is known not to be closed.
        let mut open_until = vec![0; marks.len()];
        let (mut prose, mut at) = (Self::default(), 0);
        while let Some(further) =
            bytes.get(at..).and_then(|rest| rest.iter().position(|byte| firsts[usize::from(*byte)]))
        {
            at += further;
            let Some(index) = marks.iter().position(|mark| mark.opens(bytes, at)) else {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
                continue;
            };
            let (mark, start) = (&marks[index], at);
            at += mark.open.len();
            if at > open_until[index] {
                match mark.end(bytes, at) {
                    Ok(end) => at = end,
                    Err(until) => {
                        open_until[index] = until;
                        continue;
                    }
                }
                prose.add(mark.kind, bytes, start..at);
            }
        }
        prose
    }

    fn add(&mut self, kind: Kind, bytes: &[u8], range: Range<usize>) {
        let ranges = match kind {
            Kind::Comment | Kind::Block => &mut self.comments,
            Kind::Text => &mut self.texts,
            Kind::String => return,
        };
        match ranges.last_mut() {
            // Comments of several lines are one.
            Some(last) if bytes[last.end..range.start].iter().all(u8::is_ascii_whitespace) => last.end = range.end,
            _ => ranges.push(range),
        }
    }

    /// Whether all of a place is in comments, or in a long text.
    #[must_use]
    pub fn holds(&self, place: &Range<usize>) -> bool {
        self.comments_hold(place) || contains(&self.texts, place)
    }

    #[must_use]
    pub fn comments_hold(&self, place: &Range<usize>) -> bool {
        contains(&self.comments, place)
    }
}

fn contains(ranges: &[Range<usize>], place: &Range<usize>) -> bool {
    let after = ranges.partition_point(|range| range.start <= place.start);
    after.checked_sub(1).is_some_and(|index| place.end <= ranges[index].end)
}

impl<'s> Marks<'s> {
    /// Those of which another is the beginning come first.
    fn all(self) -> Vec<Mark<'s>> {
        let same = |kind| move |mark: &'s String| Mark { kind, open: mark.as_bytes(), close: mark.as_bytes() };
        let texts = self.quotes.iter().map(same(Kind::Text));
        let blocks = self.blocks.iter().map(|[open, close]| Mark {
            kind: Kind::Block,
            open: open.as_bytes(),
            close: close.as_bytes(),
        });
        let comment = |mark: &'s String| Mark { kind: Kind::Comment, open: mark.as_bytes(), close: b"\n" };
        let comments = self.comments.iter().map(comment);
        texts.chain(blocks).chain(comments).chain(self.strings.iter().map(same(Kind::String))).collect()
    }
}

impl Mark<'_> {
    fn opens(&self, bytes: &[u8], at: usize) -> bool {
        // In the middle of a word it is a part of a path: `src/*`.
        let is_apart =
            || bytes[..at].last().is_none_or(|before| before.is_ascii_whitespace() || b"([{,;=)".contains(before));
        bytes[at..].starts_with(self.open) && (self.kind != Kind::Block || is_apart())
    }

    /// Where it ends, of which the inside begins here; or up to where it does not.
    fn end(&self, bytes: &[u8], mut at: usize) -> Result<usize, usize> {
        let has_escapes = matches!(self.kind, Kind::Text | Kind::String);
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if has_escapes => at += if bytes[at + 1..].starts_with(b"\r\n") { 3 } else { 2 },
                b'\n' if self.kind == Kind::String => return Err(at),
                _ if bytes[at..].starts_with(self.close) => return Ok(at + self.close.len()),
                _ => at += 1,
            }
        }
        if self.kind == Kind::Comment { Ok(bytes.len()) } else { Err(bytes.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(marks: &[&str]) -> Vec<String> {
        marks.iter().map(|mark| (*mark).to_owned()).collect()
    }

    /// What is prose in a text of a language with both kinds of long texts and of comments.
    fn prose(text: &str) -> Prose {
        let (comments, quotes) = (strings(&["#", "//"]), strings(&["\"\"\"", "'''"]));
        let (blocks, strings) = ([["/*", "*/"].map(str::to_owned)], strings(&["\"", "'"]));
        Prose::of(text, Marks { comments: &comments, blocks: &blocks, quotes: &quotes, strings: &strings })
    }

    #[test]
    fn what_is_prose() {
        // Letters tell what is expected of them: `P` stands in prose, `C` in code.
        for text in [
            "C # P\nC // P\nC",
            "# between \"\"\" are texts\nC",
            "\"\"\"Don't use ''' here. P\"\"\"\nC\n'''P \"\"\" P'''\nC",
            "x = '\"\"\"'\nC\ny = \"'''\" # P\nC",
            "u = \"http://x#\" + C",
            "s = \"\\\" # \" + C # P",
            "s = \"a \\\n # \" + C # P\nC",
            "s = \"a \\\r\n # \" + C # P\nC",
            "'''P \\''' P''' C",
            "/** P */ C\n/* P */ C // P\nC",
            "/*\n * P\n */\nC",
            "f(/* P */ C) /* P\nP */ C",
            "r = /^\\/*/; C; /* P */",
            "in src/* and C, not */",
            "it's C\n// P",
            "// P it's\nC 'it' C",
            "/* C\n",
            "\"\"\"C\n'''P'''\nC",
            "'C\n\"C\n# P",
            "/* C \"\"\" C\n",
            "\\",
            "\"\\",
            "é\\é# P\nC",
            "",
        ] {
            let found = prose(text);
            for (at, letter) in text.char_indices().filter(|(_, letter)| matches!(letter, 'P' | 'C')) {
                assert_eq!(found.holds(&(at..at + 1)), letter == 'P', "at {at} of {text:?}: {found:?}");
            }
        }
    }

    #[test]
    fn a_place_is_prose_when_all_of_it_is() {
        let text = "// one\n// two\n/* three */ four\n";
        let found = prose(text);
        let place = |from: &str, to: &str| text.find(from).unwrap()..text.find(to).unwrap() + to.len();
        assert!(found.holds(&place("one", "three")));
        assert!(!found.holds(&place("three", "four")));
        let texts = prose("'''one'''\n# two\n");
        assert!(texts.holds(&(3..6)) && !texts.comments_hold(&(3..6)) && texts.comments_hold(&(12..15)));
    }

    #[test]
    fn what_is_opened_often_is_looked_for_once() {
        // Each of these would take minutes if the rest of the text was read at each mark.
        for part in ["/* ", "''' \"\"\" ", "\" ' ", "' \\\" ", "# x\n", "x ", "(/*\\\"'"] {
            prose(&part.repeat(100_000));
        }
    }
}

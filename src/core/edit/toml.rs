//! TOML read with a library, changed by splicing: what is not edited keeps its bytes.

use std::ops::Range;

use anyhow::{Context as _, Result};
use toml_edit::{Document, Item, TableLike};

use super::{Entry, Made, Splice, ending, line_start, next_line, with_crlf, with_lines_above};

const BOM: char = '\u{feff}';

/// A parsed file whose spans are byte offsets into the text as stored.
pub struct Toml<'t> {
    text: &'t str,
    offset: usize,
    document: Document<&'t str>,
}

/// One `key = value`, as byte ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub key: Range<usize>,
    pub value: Range<usize>,
}

impl<'t> Toml<'t> {
    /// # Errors
    /// When the text is not TOML.
    pub fn parse(text: &'t str) -> Result<Self> {
        let body = text.strip_prefix(BOM).unwrap_or(text);
        let document = Document::parse(body).context("not valid TOML")?;
        Ok(Self { text, offset: text.len() - body.len(), document })
    }

    #[must_use]
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The item at a path of keys.
    #[must_use]
    pub fn item(&self, path: &[&str]) -> Option<&Item> {
        path.iter().try_fold(self.document.as_item(), |item, key| item.as_table_like()?.get(key))
    }

    fn table(&self, path: &[&str]) -> Option<&dyn TableLike> {
        self.item(path)?.as_table_like()
    }

    /// Where a key of a table and its value stand; `None` for a table that has its own header.
    #[must_use]
    pub fn pair(&self, table: &[&str], key: &str) -> Option<Pair> {
        let (key, item) = self.table(table)?.get_key_value(key)?;
        Some(Pair { key: self.at(key.span()?), value: self.at(item.as_value()?.span()?) })
    }

    /// The text of a range.
    #[must_use]
    pub fn slice(&self, range: &Range<usize>) -> &'t str {
        &self.text[range.clone()]
    }

    /// A span of the parsed document as a range of the text as stored.
    #[must_use]
    pub fn at(&self, span: Range<usize>) -> Range<usize> {
        span.start + self.offset..span.end + self.offset
    }

    /// The 1-based line of an item's key.
    #[must_use]
    pub fn line(&self, table: &[&str], key: &str) -> usize {
        let span = self.table(table).and_then(|t| t.get_key_value(key)).and_then(|(key, _)| key.span());
        span.map_or(1, |span| crate::core::anchor::line_of(self.text, span.start + self.offset))
    }

    /// Every `key = value` that stands directly under the table's header, in file order.
    fn pairs(&self, table: &[&str]) -> Vec<(String, Pair)> {
        let mut pairs = vec![];
        if let Some(table) = self.table(table) {
            self.collect(table, &mut pairs);
        }
        pairs.sort_by_key(|(_, pair)| pair.key.start);
        pairs
    }

    fn collect(&self, table: &dyn TableLike, out: &mut Vec<(String, Pair)>) {
        for (name, item) in table.iter() {
            let Some(span) = table.get_key_value(name).and_then(|(key, _)| key.span()) else { continue };
            match item {
                Item::Value(value) => {
                    if let Some(end) = value.span() {
                        out.push((name.to_owned(), Pair { key: self.at(span), value: self.at(end) }));
                    }
                }
                Item::Table(dotted) if dotted.is_dotted() => {
                    let mut inner = vec![];
                    self.collect(dotted, &mut inner);
                    out.extend(inner.into_iter().map(|(_, pair)| (name.to_owned(), pair)));
                }
                _ => {}
            }
        }
    }

    /// Splices that give `table` these new keys (`value` as TOML text), each on a line of its own; in place if the
    /// keys there are sorted, else after the last. `None`: the table is not one with lines of its own.
    #[must_use]
    pub fn insert(&self, table: &[&str], new: &[(String, String)]) -> Option<Vec<Splice>> {
        self.put(table, new, true)
    }

    /// The same, always after the last key.
    #[must_use]
    pub fn append(&self, table: &[&str], new: &[(String, String)]) -> Option<Vec<Splice>> {
        self.put(table, new, false)
    }

    fn put(&self, table: &[&str], new: &[(String, String)], in_order: bool) -> Option<Vec<Splice>> {
        let mut new = new.to_vec();
        new.sort();
        let name = table.join(".");
        let header = match self.item(table) {
            None => return Some(self.append_table(&name, &new)),
            Some(Item::Table(there)) if there.is_dotted() => return None,
            Some(Item::Table(there)) if there.is_implicit() => return Some(self.append_table(&name, &new)),
            Some(_) => self.header(table)?,
        };
        let pairs = self.pairs(table);
        let sorted = in_order && pairs.iter().map(|(key, _)| key).is_sorted();
        let end = next_line(self.text, pairs.last().map_or(header, |(_, pair)| pair.value.end));
        let place = |key: &String| {
            let (_, pair) = pairs.iter().find(|(have, _)| sorted && have > key)?;
            // A comment right above an entry belongs to it.
            Some(with_lines_above(self.text, line_start(self.text, pair.key.start), &["#"]))
        };
        let line = |(key, value): &(String, String)| self.line_splice(place(key).unwrap_or(end), &name, key, value);
        Some(new.iter().map(line).collect())
    }

    fn line_splice(&self, at: usize, table: &str, key: &str, value: &str) -> Splice {
        let mut splice = super::insert_lines(self.text, at, &format!("{key} = {value}"));
        splice.entry = Some(Entry { table: table.to_owned(), key: Some(key.to_owned()), value: value.to_owned() });
        splice
    }

    fn append_table(&self, name: &str, new: &[(String, String)]) -> Vec<Splice> {
        let end = self.text.len();
        let gap = if self.text.is_empty() || ["\n\n", "\n\r\n"].iter().any(|end| self.text.ends_with(end)) {
            ""
        } else {
            "\n"
        };
        let mut header = super::insert_lines(self.text, end, &format!("{gap}[{name}]"));
        header.entry = Some(Entry { table: name.to_owned(), key: None, value: String::new() });
        let lines = new.iter().map(|(key, value)| self.line_splice(end, name, key, value));
        std::iter::once(header).chain(lines).collect()
    }

    /// Where a table's header ends; `None` if it has none of its own.
    fn header(&self, table: &[&str]) -> Option<usize> {
        let table = self.item(table)?.as_table().filter(|table| !table.is_implicit() && !table.is_dotted())?;
        table.span().map(|span| self.at(span).start)
    }

    /// The splice that gives a key that is there another value.
    #[must_use]
    pub fn replace(&self, table: &[&str], key: &str, value: &str) -> Option<Splice> {
        let pair = self.pair(table, key)?;
        let entry = Entry { table: table.join("."), key: Some(key.to_owned()), value: value.to_owned() };
        Some(Splice { range: pair.value, text: value.to_owned(), entry: Some(entry) })
    }
}

/// Takes back one recorded entry from a file that has changed since; `None` if it no longer stands as it was made.
///
/// # Errors
/// When the text is not TOML.
pub fn take_back(text: &str, made: &Made, entry: &Entry) -> Result<Option<String>> {
    let toml = Toml::parse(text)?;
    let table: Vec<&str> = entry.table.split('.').collect();
    let Some(key) = &entry.key else { return Ok(drop_header(&toml, &table, made)) };
    let Some(pair) = toml.pair(&table, key) else { return Ok(None) };
    let value = &text[pair.value.clone()];
    if value.replace("\r\n", "\n") != entry.value.replace("\r\n", "\n") {
        return Ok(None);
    }
    let mut out = text.to_owned();
    if made.inserted == entry.value {
        let crlf = value.contains("\r\n") && !entry.value.contains("\r\n");
        out.replace_range(pair.value, &if crlf { with_crlf(&made.removed) } else { made.removed.clone() });
        return Ok(Some(out));
    }
    let (start, end) = (line_start(text, pair.key.start), next_line(text, pair.value.end));
    let dotted = table.last().map(|name| format!("{name}."));
    let before = text[start..pair.key.start].trim();
    let first = before.is_empty() || dotted.is_some_and(|dotted| before == dotted && made.inserted.contains(&dotted));
    let alone = first && text[pair.value.end..end].trim().is_empty();
    Ok(alone.then(|| without_lines(text, start..end)))
}

fn drop_header(toml: &Toml<'_>, table: &[&str], made: &Made) -> Option<String> {
    // Tables with a header of their own, such as `[dependencies.x]`, do not need this one.
    if !toml.pairs(table).is_empty() {
        return Some(toml.text.to_owned());
    }
    let start = line_start(toml.text, toml.header(table)?);
    let end = next_line(toml.text, start);
    if toml.text[start..end].trim() != made.inserted.trim() {
        return None;
    }
    let gap = line_start(toml.text, start.saturating_sub(1));
    let ours = made.inserted.trim_end().contains('\n') && toml.text[gap..start].trim().is_empty();
    let from = if ours { gap } else { start };
    Some(without_lines(toml.text, from..end))
}

/// Cuts whole lines; a file that had no last newline still has none.
fn without_lines(text: &str, lines: Range<usize>) -> String {
    let mut out = text.to_owned();
    let last = lines.end == text.len() && !text.ends_with('\n');
    out.replace_range(lines.clone(), "");
    if last {
        let ending = ending(text, lines.start);
        out.truncate(out.strip_suffix(ending).map_or(out.len(), str::len));
    }
    out
}

#[cfg(test)]
mod tests;

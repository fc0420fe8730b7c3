//! Texts made of seeds by random changes that a seed number decides.

/// `splitmix64`: the same numbers everywhere for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is taken as at least one.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What parsers stumble over: brackets and quotes, endings, marks, huge numbers, letters of several bytes, words of formats.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "</",
    "/>",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "`",
    ":",
    ",",
    ";",
    "=",
    "==",
    "@",
    "#",
    "//",
    "/*",
    "*/",
    "<!--",
    "-->",
    "|",
    "&",
    "*",
    "!",
    "%",
    "$",
    "${",
    "\\",
    "\\\"",
    "\\u0000",
    "\\x",
    ".",
    "..",
    "-",
    "--",
    "---\n",
    "...\n",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\t",
    " ",
    "\0",
    "\u{feff}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}",
    "\u{1b}[31m",
    "é",
    "ß",
    "İ",
    "\u{301}",
    "\u{1f6d2}",
    "\u{10ffff}",
    "-1",
    "0",
    "00",
    "99999999999999999999",
    "18446744073709551615",
    "9223372036854775807",
    "1e999",
    "0x",
    "nan",
    "1.2.3.4.5",
    "1!2.0",
    "*",
    "^",
    "~=",
    ">=1,<2",
    "||",
    "[= x =]",
    "[% if x %]",
    "{{ x }}",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&b;",
    "<![CDATA[",
    "<<: *a\n",
    "&a ",
    "? ",
    "- ",
    "catalog:",
    "workspace:*",
    "npm:",
    "file:..",
    "[dependencies]\n",
    "[[package]]\n",
    "[a.b]\n",
    "version",
    "workspace = true",
    "features = []",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
];

/// A text that is like one of `seeds`.
pub fn mutated(seeds: &[String], random: &mut Random) -> String {
    let mut bytes = random.pick(seeds).clone().into_bytes();
    for _ in 0..=random.below(6) {
        change(&mut bytes, seeds, random);
        // What is read is bounded too; and long texts leave time for few.
        bytes.truncate(64 << 10);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn change(bytes: &mut Vec<u8>, seeds: &[String], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(14) {
        0 => {
            let bit = 1 << random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => insert(bytes, at, &[u8::try_from(random.below(256)).unwrap()]),
        2..=4 => insert(bytes, at, random.pick(TOKENS).as_bytes()),
        5 => {
            let end = (at + 1 + random.below(40)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        6 => bytes.truncate(at),
        7 => {
            let other = random.pick(seeds).as_bytes();
            let from = random.below(other.len() + 1);
            let to = (from + random.below(400)).min(other.len());
            insert(bytes, at, &other[from..to]);
        }
        8 => {
            let other = random.pick(seeds).as_bytes();
            bytes.truncate(at);
            bytes.extend(&other[random.below(other.len() + 1)..]);
        }
        9 => nest(bytes, at, random),
        10 => endings(bytes, random),
        11 => words(bytes, random),
        _ => lines(bytes, random),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

/// A token many times over.
fn nest(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let token = random.pick(TOKENS).repeat(1 << random.below(12));
    insert(bytes, at, token.as_bytes());
}

fn endings(bytes: &mut Vec<u8>, random: &mut Random) {
    let text = String::from_utf8_lossy(bytes);
    *bytes = match random.below(4) {
        0 => text.replace('\n', "\r\n"),
        1 => text.replace("\r\n", "\n"),
        2 => text.trim_end().to_owned(),
        _ => format!("\u{feff}{text}"),
    }
    .into_bytes();
}

/// Takes a word out, doubles it, or puts another in its place.
fn words(bytes: &mut Vec<u8>, random: &mut Random) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let start = random.below(bytes.len() + 1);
    let Some(from) = bytes[start..].iter().position(is_word).map(|at| start + at) else { return };
    let to = bytes[from..].iter().position(|byte| !is_word(byte)).map_or(bytes.len(), |at| from + at);
    let word = bytes[from..to].to_vec();
    let new = match random.below(4) {
        0 => vec![],
        1 => [word.clone(), word].concat(),
        2 => random.pick(TOKENS).as_bytes().to_vec(),
        _ => word.repeat(1 + random.below(50)),
    };
    bytes.splice(from..to, new);
}

/// Takes lines out, doubles or moves them.
fn lines(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (from, to) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(3) {
        0 => _ = lines.remove(from),
        1 => lines.insert(to, lines[from].clone()),
        _ => lines.swap(from, to),
    }
    *bytes = lines.concat();
}

//! `AUDIT.md`: what each control rests on in the generated code, as a page for people whose tables are read strictly.

use serde::Serialize;

use super::{problem::Problem, project::RelPath};

/// The page's name among the files that a pack renders.
pub const NAME: &str = "AUDIT.md";

const CONTROLS: [&str; 3] = ["control", "rests on", "where"];
const DEVIATIONS: [&str; 3] = ["control", "reason", "what stands in"];
const FILES: [&str; 3] = ["file", "size", "what it decides"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub controls: Vec<Rests>,
    pub deviations: Vec<Deviation>,
    pub files: Vec<Read>,
}

/// What is meant to hold a control, and where a reviewer finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rests {
    pub control: String,
    pub on: Vec<Ground>,
    pub places: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Code of the pack's own.
    Glue,
    /// A constraint of the database.
    Database,
    /// A library of this version or newer.
    Library { name: String, version: String },
    /// It is not held: the deviations say why, or a switch of the contract.
    Nothing,
    /// There is nothing that it could be about.
    NotHere,
}

/// A file beside the page, and names in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub file: String,
    pub names: Vec<String>,
}

/// A control that is known not to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    #[serde(skip)]
    pub control: String,
    pub reason: String,
    pub stands_in: String,
}

/// A file that security rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Read {
    pub file: String,
    pub size: Size,
    pub decides: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// At most 100 lines.
    Small,
    /// At most 250.
    Medium,
    /// At most 600.
    Large,
}

impl Size {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "small" => Ok(Self::Small),
            "medium" => Ok(Self::Medium),
            "large" => Ok(Self::Large),
            _ => Err(format!("`{word}` is no size: small, medium or large")),
        }
    }
}

impl std::fmt::Display for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Glue => f.write_str("glue"),
            Self::Database => f.write_str("database"),
            Self::Library { name, version } => write!(f, "{name} {version}"),
            Self::Nothing => f.write_str("nothing"),
            Self::NotHere => f.write_str("not here"),
        }
    }
}

/// The audit among the files that a pack renders, and where it is.
///
/// # Errors
/// When the page is malformed.
pub fn of(files: &[(RelPath, String)]) -> Result<Option<(&RelPath, Audit)>, Problem> {
    let is_page = |path: &RelPath| path.as_str().rsplit('/').next() == Some(NAME);
    let Some((path, text)) = files.iter().find(|(path, _)| is_page(path)) else { return Ok(None) };
    let audit = parse(text).map_err(|why| {
        Problem::problem(format!("{path}: {why}"), "this version's pack is at fault; report it with this message")
    })?;
    Ok(Some((path, audit)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Controls,
    Deviations,
    Files,
}

/// # Errors
/// When a table is not one of the page's three, or a row not of its table; the message names the line.
pub fn parse(text: &str) -> Result<Audit, String> {
    let mut audit = Audit::default();
    let (mut table, mut ruled) = (None, false);
    for (number, line) in (1..).zip(text.lines()) {
        let at = |why: String| format!("line {number}: {why}");
        if !line.starts_with('|') {
            table = None;
            continue;
        }
        let cells = cells(line).map_err(at)?;
        match table {
            None => {
                table = Some(head(cells).map_err(at)?);
                ruled = false;
            }
            Some(_) if !ruled => {
                let is_rule = cells.iter().all(|cell| cell.len() >= 3 && cell.bytes().all(|byte| byte == b'-'));
                ruled = is_rule
                    .then_some(true)
                    .ok_or_else(|| at("a table's head needs a line of `---` below".to_owned()))?;
            }
            Some(table) => row(&mut audit, table, cells).map_err(at)?,
        }
    }
    Ok(audit)
}

fn cells(line: &str) -> Result<[&str; 3], String> {
    let inner = line.trim_end().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    let cells: Vec<&str> = inner.ok_or("the row does not end with `|`")?.split('|').map(str::trim).collect();
    let count = cells.len();
    let cells: [&str; 3] = cells.try_into().map_err(|_| format!("the row has {count} columns, not 3"))?;
    if cells.contains(&"") { Err("a column is empty".to_owned()) } else { Ok(cells) }
}

fn head(cells: [&str; 3]) -> Result<Table, String> {
    match cells {
        CONTROLS => Ok(Table::Controls),
        DEVIATIONS => Ok(Table::Deviations),
        FILES => Ok(Table::Files),
        _ => Err(format!("`{}` is the head of no table of this page", cells.join(" | "))),
    }
}

fn row(audit: &mut Audit, table: Table, [first, second, third]: [&str; 3]) -> Result<(), String> {
    if table == Table::Files {
        let (file, size) = (quoted(first)?.to_owned(), Size::parse(second)?);
        audit.files.push(Read { file, size, decides: third.to_owned() });
        return Ok(());
    }
    if !is_control(first) {
        return Err(format!("`{first}` is no control id"));
    }
    let control = first.to_owned();
    if table == Table::Deviations {
        if audit.deviations.iter().any(|other| other.control == control) {
            return Err(format!("`{control}` stands among the deviations already"));
        }
        audit.deviations.push(Deviation { control, reason: second.to_owned(), stands_in: third.to_owned() });
        return Ok(());
    }
    if audit.controls.iter().any(|other| other.control == control) {
        return Err(format!("`{control}` stands in the page already"));
    }
    let on = second.split(',').map(|word| ground(word.trim())).collect::<Result<_, _>>()?;
    let places = third.split(';').map(|text| place(text.trim())).collect::<Result<_, _>>()?;
    audit.controls.push(Rests { control, on, places });
    Ok(())
}

fn is_control(id: &str) -> bool {
    id.split_once('-').is_some_and(|(group, number)| {
        !group.is_empty()
            && group.bytes().all(|byte| byte.is_ascii_uppercase())
            && number.len() == 2
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A word, or a library in backticks with its version.
fn ground(text: &str) -> Result<Ground, String> {
    match text {
        "glue" => return Ok(Ground::Glue),
        "database" => return Ok(Ground::Database),
        "nothing" => return Ok(Ground::Nothing),
        "not here" => return Ok(Ground::NotHere),
        _ => {}
    }
    let (name, version) = text.split_once(' ').unwrap_or((text, ""));
    let is_version = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_version {
        return Err(format!(
            "`{text}` is neither `glue`, `database`, `nothing`, `not here` nor a library with its version"
        ));
    }
    Ok(Ground::Library { name: quoted(name)?.to_owned(), version: version.to_owned() })
}

/// A file in backticks, then names in it.
fn place(text: &str) -> Result<Place, String> {
    let mut words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let file = quoted(words.next().unwrap_or_default())?.to_owned();
    let names = words.map(|word| quoted(word).map(str::to_owned)).collect::<Result<_, _>>()?;
    Ok(Place { file, names })
}

fn quoted(text: &str) -> Result<&str, String> {
    let inner = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).filter(|text| !text.is_empty());
    inner.filter(|inner| !inner.contains('`')).ok_or_else(|| format!("`{text}` is not one word in backticks"))
}

#[cfg(test)]
mod tests;

//! The mutants of a pack: its protections, taken out one at a time.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutants {
    /// None where nothing is built.
    pub weave: Option<Weave>,
    #[serde(rename = "mutant")]
    pub all: Vec<Mutant>,
    #[serde(default)]
    pub equivalent: Vec<Equivalent>,
}

/// How several mutants live in one build, each behind a switch: the stack's text for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weave {
    /// The environment variable that names the mutant that is on.
    pub variable: String,
    pub grammar: String,
    /// Where the switch is written to, at the end.
    pub file: String,
    pub append: String,
    /// The forms, with `{id}`, then `{new}`, then `{old}`.
    pub expression: String,
    pub statement: String,
    pub block: String,
    /// The grammar's names for nodes.
    pub expressions: Vec<String>,
    pub statements: Vec<String>,
    pub blocks: Vec<String>,
    pub opaque: Vec<String>,
}

/// A protection of the generated app, and how to take it out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    pub id: String,
    pub what: String,
    /// Of the app that it is tried in; `with` names modules, separated by commas.
    #[serde(default)]
    pub answers: Answers,
    /// Whether it can be woven.
    #[serde(default)]
    pub expression: bool,
    pub edit: Vec<Edit>,
}

/// A mutant of the catalogue that cannot exist in this pack.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    pub id: String,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub file: String,
    pub find: String,
    pub replace: String,
}

/// What an app has unless something else is asked for.
const MODULE: &str = "password";

/// Option to value, where it matters.
pub type Answers = BTreeMap<String, String>;

impl Mutant {
    pub fn control(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// Whether it exists in an app with these flags: one that has the module by default, unless others are named. An option
    /// that no flag gives takes several values at once, and what they change is data.
    pub fn fits(&self, flags: &[String]) -> bool {
        let given = |option: &str| {
            let at = flags.iter().position(|flag| flag.strip_prefix("--") == Some(option));
            at.map(|at| flags[at + 1].as_str())
        };
        let modules: Vec<&str> = given("with").unwrap_or(MODULE).split(',').collect();
        let needed = self.answers.get("with").map_or(MODULE, String::as_str);
        needed.split(',').all(|module| modules.contains(&module))
            && self
                .answers
                .iter()
                .all(|(option, value)| option == "with" || given(option).is_none_or(|given| given == value))
    }

    /// Takes the protection out of an app.
    #[track_caller]
    pub fn apply(&self, dir: &Path) {
        for edit in &self.edit {
            let path = dir.join(&edit.file);
            fs::write(&path, edit.applied(&super::read(dir, &edit.file), &self.id)).unwrap();
        }
    }
}

impl Edit {
    /// The text with the edit made.
    #[track_caller]
    pub fn applied(&self, text: &str, id: &str) -> String {
        assert_eq!(text.matches(&self.find).count(), 1, "{id}: in {}: {}", self.file, self.find);
        text.replacen(&self.find, &self.replace, 1)
    }
}

pub fn of(stack: &str) -> Mutants {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(stack).join("mutants.toml");
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{error}"))
}

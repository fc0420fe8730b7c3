//! Every combination of the options that a pack offers, asked of the tool, so that a new value joins by itself.

use serde_json::Value;

use super::{Project, empty, fixture, run};

/// A project to add to, for one major version of the framework.
pub struct Base {
    pub name: &'static str,
    /// None is the starter of `new`.
    fixture: Option<&'static str>,
}

pub const BASES: [Base; 2] =
    [Base { name: "axum 0.8", fixture: None }, Base { name: "axum 0.7", fixture: Some("axum07") }];

impl Base {
    /// The project with authentication, not built yet.
    pub fn with(&self, flags: &[String]) -> Project {
        let mut args = vec!["--yes", "--no-check"];
        args.extend(flags.iter().map(String::as_str));
        let project = self.fixture.map_or_else(|| empty("app"), fixture);
        let command: &[&str] = if self.fixture.is_some() { &["add"] } else { &["new", ".", "--stack", "axum"] };
        run(&project.dir, &[command, &args].concat()).exits(0);
        project
    }
}

fn options() -> Vec<Value> {
    let list = run(&empty("list").dir, &["list", "--json"]).exits(0).json();
    list["stacks"][0]["options"].as_array().unwrap().clone()
}

/// Whether an option has this value when nobody says otherwise.
pub fn is_default() -> impl Fn(&str, &str) -> bool {
    let options = options();
    move |id, value| options.iter().any(|option| option["id"] == id && option["default"] == value)
}

/// Flags and their values. Options that take several values at once are left out: they change no code.
pub fn combinations() -> Vec<Vec<String>> {
    let options = options();
    let single = options.iter().filter(|option| option["multiple"] != true);
    single.fold(vec![vec![]], |all, option| {
        let flags = all.iter().flat_map(|flags| extended(flags, option));
        flags.collect()
    })
}

fn extended(flags: &[String], option: &Value) -> Vec<Vec<String>> {
    let flag = format!("--{}", option["id"].as_str().unwrap());
    let values = option["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
    values.map(|value| [flags, &[flag.clone(), value]].concat()).collect()
}

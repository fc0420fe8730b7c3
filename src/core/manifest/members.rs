//! Which folders belong to a workspace, by the file at its root.

use std::{collections::BTreeMap, sync::LazyLock};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::Regex;
use roxmltree::Document;
use saphyr_parser::{Event, Parser};
use serde_json::Value;
use toml_edit::Item;

use super::named::ending;
use crate::core::edit::toml::Toml;

/// The folders that a workspace lists, relative to its root.
#[derive(Debug, Default)]
pub struct Members {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Members {
    /// Whether a folder, relative to the root, is one.
    #[must_use]
    pub fn hold(&self, folder: &str) -> bool {
        let matches = |globs: &[String]| set(globs).is_some_and(|set| set.is_match(folder));
        matches(&self.include) && !matches(&self.exclude)
    }
}

fn set(globs: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let glob = glob.trim().trim_start_matches("./").trim_end_matches('/').trim_end_matches("/package.json");
        set.add(GlobBuilder::new(glob).literal_separator(true).build().ok()?);
    }
    set.build().ok()
}

/// The members that a file declares; `None` if it declares no workspace, or is not what its name says.
#[must_use]
pub fn members(name: &str, text: &str) -> Option<Members> {
    let text = text.trim_start_matches('\u{feff}');
    match name {
        "package.json" => json_list(text, &["workspaces"]).or_else(|| json_list(text, &["workspaces", "packages"])),
        "lerna.json" => json_list(text, &["packages"]),
        "deno.json" | "deno.jsonc" => {
            json_list(text, &["workspace"]).or_else(|| json_list(text, &["workspace", "members"]))
        }
        "nx.json" | "rush.json" => Some(listed(vec!["**".to_owned()])),
        "pnpm-workspace.yaml" => yaml_list(text, "packages"),
        "pyproject.toml" => toml_list(text),
        "go.work" => Some(listed(each(&USE, text))),
        "pom.xml" => pom(text),
        "mix.exs" => APPS.as_ref()?.captures(text).map(|apps| listed(vec![format!("{}/*", &apps[1])])),
        "settings.gradle" | "settings.gradle.kts" => gradle(text),
        _ => matches!(ending(name), "sln" | "slnx").then(|| solution(text)),
    }
}

fn listed(all: Vec<String>) -> Members {
    let (exclude, include) = all.into_iter().partition(|glob| glob.starts_with('!'));
    let exclude: Vec<String> = exclude;
    Members { include, exclude: exclude.iter().map(|glob| glob[1..].to_owned()).collect() }
}

fn json_list(text: &str, path: &[&str]) -> Option<Members> {
    let json: Value = jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).ok()?;
    let list = path.iter().try_fold(&json, |json, key| json.get(key))?.as_array()?;
    Some(listed(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()))
}

fn yaml_list(text: &str, key: &str) -> Option<Members> {
    let (mut found, mut depth, mut last) = (vec![], 0_usize, String::new());
    for event in Parser::new_from_str(text) {
        match event.ok()?.0 {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    last.clear();
                }
            }
            Event::Scalar(value, ..) if depth == 1 => last = value.into_owned(),
            Event::Scalar(value, ..) if depth == 2 && last == key => found.push(value.into_owned()),
            _ => {}
        }
    }
    Some(listed(found))
}

/// The versions in the catalogues of a `pnpm-workspace.yaml` or `.yarnrc.yml`, by catalogue and package.
#[must_use]
pub fn catalogs(text: &str) -> BTreeMap<(String, String), String> {
    let (mut found, mut path, mut key): (_, Vec<String>, Option<String>) = (BTreeMap::new(), vec![], None);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((Event::MappingStart(..) | Event::SequenceStart(..), _)) => path.push(key.take().unwrap_or_default()),
            Ok((Event::MappingEnd | Event::SequenceEnd, _)) => (_, key) = (path.pop(), None),
            Ok((Event::Scalar(value, ..), _)) => {
                let Some(name) = key.take() else {
                    key = Some(value.into_owned());
                    continue;
                };
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let catalog = match path.as_slice() {
                    ["", "catalog"] => "default",
                    ["", "catalogs", catalog] => catalog,
                    _ => continue,
                };
                found.insert((catalog.to_owned(), name), value.into_owned());
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

fn toml_list(text: &str) -> Option<Members> {
    let toml = Toml::parse(text).ok()?;
    let list = |key| {
        let array = toml.item(&["tool", "uv", "workspace", key]).and_then(Item::as_array).into_iter().flatten();
        array.filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    toml.item(&["tool", "uv", "workspace"])?;
    Some(Members { include: list("members"), exclude: list("exclude") })
}

static USE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:use\s+|\s+)\.?/?([\w./-]+)\s*(?://.*)?$").ok());
static APPS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"apps_path:\s*"([^"]+)""#).ok());
static INCLUDE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"["'](:?[\w./:-]+)["']"#).ok());
static PROJECT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#""([^"\n]+\.[a-z]+proj)""#).ok());

fn each(expression: &LazyLock<Option<Regex>>, text: &str) -> Vec<String> {
    let found = expression.iter().flat_map(|expression| expression.captures_iter(text));
    found.map(|found| found[1].to_owned()).collect()
}

fn pom(text: &str) -> Option<Members> {
    let document = Document::parse(text).ok()?;
    let modules = document.descendants().filter(|node| node.tag_name().name() == "module");
    let modules: Vec<String> = modules.filter_map(|module| module.text().map(|text| text.trim().to_owned())).collect();
    (!modules.is_empty()).then(|| listed(modules))
}

/// Each name in quotes of an `include`, with folders for its colons.
fn gradle(text: &str) -> Option<Members> {
    let (mut found, mut inside) = (vec![], false);
    for line in text.lines().map(str::trim) {
        inside = line.starts_with("include") || (inside && line.starts_with(['"', '\'', ')']));
        if inside {
            let names = each(&INCLUDE, line).into_iter();
            found.extend(names.map(|name| name.trim_start_matches(':').replace(':', "/")));
        }
    }
    (!found.is_empty()).then(|| listed(found))
}

fn solution(text: &str) -> Members {
    let files = each(&PROJECT, text).into_iter().map(|path| path.replace('\\', "/"));
    listed(files.filter_map(|path| path.rsplit_once('/').map(|(folder, _)| folder.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_that_the_root_lists() {
        let pnpm =
            "# ours\npackages:\n  - apps/*\n\n  # shared\n  - './packages/**'\n  - \"!apps/old\"\ncatalog:\n  - no\n";
        let npm = r#"{ "workspaces": ["apps/*", "packages/**", "!apps/old"] }"#;
        let yarn = r#"{ "workspaces": { "packages": ["apps/*", "packages/**", "!apps/old/"] } }"#;
        for (name, text) in [("pnpm-workspace.yaml", pnpm), ("package.json", npm), ("package.json", yarn)] {
            let members = members(name, text).unwrap();
            let hold = |folder: &str| members.hold(folder);
            assert!(hold("apps/web") && hold("packages/a/b"), "{text}");
            assert!(!hold("apps/old") && !hold("apps/web/deep") && !hold("tools") && !hold("no"), "{text}");
        }
        assert!(members("package.json", "{ \"name\": \"app\" }").is_none());
        assert!(members("Cargo.toml", "[workspace]").is_none());
    }
}

//! Which folders belong to a workspace, by the file at its root.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::Value;

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
        let glob = glob.trim().trim_start_matches("./").trim_end_matches('/');
        set.add(GlobBuilder::new(glob).literal_separator(true).build().ok()?);
    }
    set.build().ok()
}

/// The members that a file declares; `None` if it declares no workspace, or is not what its name says.
#[must_use]
pub fn members(name: &str, text: &str) -> Option<Members> {
    let text = text.trim_start_matches('\u{feff}');
    match name {
        "package.json" => json_list(text),
        "pnpm-workspace.yaml" => Some(listed(yaml_list(text, "packages"))),
        _ => None,
    }
}

fn listed(all: Vec<String>) -> Members {
    let (exclude, include): (Vec<String>, _) = all.into_iter().partition(|glob| glob.starts_with('!'));
    Members { include, exclude: exclude.iter().map(|glob| glob[1..].to_owned()).collect() }
}

fn json_list(text: &str) -> Option<Members> {
    let json: Value = serde_json::from_str(text).ok()?;
    let workspaces = json.get("workspaces")?;
    let list = workspaces.as_array().or_else(|| workspaces.get("packages")?.as_array())?;
    Some(listed(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()))
}

/// The items of a list below a key at the left margin.
fn yaml_list(text: &str, key: &str) -> Vec<String> {
    let head = format!("{key}:");
    let below = text.lines().skip_while(|line| line.trim_end() != head).skip(1);
    let lines = below.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let items = lines.map_while(|line| line.strip_prefix("- "));
    items.map(|item| item.trim().trim_matches(['"', '\'']).to_owned()).collect()
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

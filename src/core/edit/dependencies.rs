//! Dependencies of a project by the format of its manifest.

use anyhow::{Context as _, Result};
use semver::{Version, VersionReq};
use serde_json::{Value, json};
use toml_edit::Item;

use super::{Existing, Outcome, cargo_toml, package_json, python, toml::Toml};
use crate::core::{
    manifest, npm,
    pack::{Dependency, Suits},
    pep440,
    plan::Workspace,
    project::Step,
};

/// A manifest that dependencies can be added to.
pub struct Dependencies<'t> {
    path: &'t str,
    format: Format<'t>,
}

enum Format<'t> {
    Cargo { own: Box<Toml<'t>>, root: Option<Box<Toml<'t>>> },
    Python(python::File<'t>),
    Node(package_json::File<'t>),
}

impl<'t> Dependencies<'t> {
    /// # Errors
    /// When the text is not what the file's name says.
    pub fn open(path: &'t str, text: &'t str, workspace: &'t Workspace) -> Result<Self> {
        Self::parse(path, text, workspace).with_context(|| format!("cannot read `{path}`"))
    }

    fn parse(path: &'t str, text: &'t str, workspace: &'t Workspace) -> Result<Self> {
        let format = if is_python(path) {
            Format::Python(python::File::parse(path, text)?)
        } else if path == package_json::NAME {
            Format::Node(package_json::File::parse(text)?)
        } else {
            let root = workspace.manifest.as_ref().map(|text| Toml::parse(text.raw())).transpose()?;
            Format::Cargo { own: Box::new(Toml::parse(text)?), root: root.map(Box::new) }
        };
        Ok(Self { path, format })
    }

    /// The entry of a dependency under its key.
    #[must_use]
    pub fn existing(&self, dependency: &Dependency, key: &str) -> Option<Existing> {
        match &self.format {
            Format::Cargo { own, root } => {
                cargo_toml::existing(own, root.as_deref(), cargo_toml::table_of(dependency), key)
            }
            Format::Python(file) => file.existing(dependency),
            Format::Node(file) => file.existing(dependency),
        }
    }

    /// The key that a dependency has or will have.
    ///
    /// # Errors
    /// When a version is there that cannot be beside another (exit 4).
    pub fn key(&self, dependency: &Dependency) -> Result<String> {
        match &self.format {
            Format::Cargo { own, root } => cargo_toml::key(own, root.as_deref(), dependency, self.path),
            Format::Python(file) => {
                file.refuse_other(dependency, self.path)?;
                Ok(dependency.name.clone())
            }
            Format::Node(file) => {
                file.refuse_other(dependency, self.path)?;
                Ok(dependency.name.clone())
            }
        }
    }

    /// The version requirement of a dependency as it is or will be.
    #[must_use]
    pub fn written(&self, dependency: &Dependency, key: &str) -> String {
        match &self.format {
            Format::Cargo { own, root } => cargo_toml::written(own, root.as_deref(), dependency, key),
            Format::Python(file) => {
                let entry = file.existing(dependency);
                entry.map_or_else(|| dependency.version.clone(), |entry| entry.version.unwrap_or_default())
            }
            Format::Node(file) => {
                let entry = file.existing(dependency);
                entry.map_or_else(|| dependency.version.clone(), |entry| entry.version.unwrap_or_default())
            }
        }
    }

    /// Whether a requirement, as this manifest writes it, admits a version; without one, every version is.
    #[must_use]
    pub fn admits(&self, requirement: Option<&str>, version: &Version) -> bool {
        let Some(written) = requirement else { return true };
        let admits = match &self.format {
            Format::Cargo { .. } => VersionReq::parse(written).ok().map(|parsed| parsed.matches(version)),
            Format::Python(_) => pep440::admits(written, version),
            Format::Node(_) => npm::admits(written, version),
        };
        admits.unwrap_or(false)
    }

    /// The lowest version that a requirement admits, as far as it can be told.
    #[must_use]
    pub fn lowest(&self, requirement: &str) -> Option<Version> {
        match &self.format {
            Format::Cargo { .. } => cargo_toml::lowest(requirement),
            Format::Python(_) => pep440::lowest(requirement),
            Format::Node(_) => npm::lowest(requirement),
        }
    }

    /// Splices that give the manifest every dependency it lacks, and steps for entries that cannot be changed safely.
    ///
    /// # Errors
    /// When an entry is there in a version that the generated code does not work with (exit 4).
    pub fn add(&self, wanted: &[Dependency]) -> Result<Vec<Outcome>> {
        match &self.format {
            Format::Cargo { own, root } => cargo_toml::add(own, root.as_deref(), wanted, self.path),
            Format::Python(file) => file.add(wanted, self.path),
            Format::Node(file) => file.add(wanted, self.path),
        }
    }

    /// The steps that stand for all of `wanted`, where an edit would not leave a manifest that can be read.
    #[must_use]
    pub fn all_by_hand(&self, wanted: &[Dependency]) -> Vec<Step> {
        match &self.format {
            Format::Cargo { .. } => cargo_toml::all_by_hand(wanted, self.path),
            Format::Python(_) => python::all_by_hand(wanted, self.path),
            Format::Node(_) => package_json::all_by_hand(wanted, self.path),
        }
    }

    /// How the manifest takes a package from elsewhere than the registry, or another in its place.
    #[must_use]
    pub fn replaced(&self, dependency: &Dependency, key: &str) -> Option<String> {
        match &self.format {
            Format::Cargo { own, root } => {
                cargo_toml::replaced(own, root.as_deref(), cargo_toml::table_of(dependency), key, &dependency.name)
            }
            Format::Python(file) => file.replaced(dependency),
            Format::Node(file) => file.replaced(dependency),
        }
    }

    /// Whether the project depends on what a choice suits.
    #[must_use]
    pub fn has(&self, wanted: &Suits) -> bool {
        let enough = |entry: Existing| wanted.feature.as_ref().is_none_or(|feature| entry.features.contains(feature));
        match &self.format {
            Format::Cargo { own, root } => {
                let keys = cargo_toml::keys(own, root.as_deref(), "dependencies", &wanted.depends);
                let entry = |key: &String| cargo_toml::existing(own, root.as_deref(), "dependencies", key);
                keys.iter().filter_map(entry).any(enough)
            }
            Format::Python(file) => file.named(&wanted.depends).is_some_and(enough),
            Format::Node(file) => file.named(&wanted.depends).is_some_and(enough),
        }
    }

    /// Facts of the project for templates: its name, and the name that its code is imported by.
    ///
    /// # Errors
    /// When the manifest does not say them.
    pub fn project(&self) -> Result<Value> {
        match &self.format {
            Format::Cargo { own, root } => {
                let string = |path: &[&str]| own.item(path).and_then(Item::as_str).map(str::to_owned);
                let name = string(&["package", "name"]).with_context(|| format!("`{}` names no package", self.path))?;
                let library = string(&["lib", "name"]).unwrap_or_else(|| name.replace('-', "_"));
                let inherited =
                    root.as_deref().and_then(|root| root.item(&["workspace", "package", "edition"])?.as_str());
                let edition = string(&["package", "edition"]).or(inherited.map(str::to_owned));
                Ok(json!({ "name": name, "library": library, "edition": edition.unwrap_or_else(|| "2015".to_owned()) }))
            }
            Format::Python(file) => {
                let name = file.name().unwrap_or("app");
                Ok(json!({ "name": name, "library": python::normal(name).replace('-', "_"), "manifest": self.path }))
            }
            Format::Node(file) => {
                let name = file.name().unwrap_or("app");
                Ok(json!({ "name": name, "library": name, "manifest": self.path }))
            }
        }
    }

    /// The lowest language version that the project says it builds with, and where it says so.
    #[must_use]
    pub fn minimum(&self) -> Option<(Version, String)> {
        match &self.format {
            Format::Cargo { own, root } => cargo_minimum(own, root.as_deref(), self.path),
            Format::Python(python::File::Project(toml)) => {
                let written = toml.item(&["project", "requires-python"])?.as_str()?;
                let line = toml.line(&["project"], "requires-python");
                Some((pep440::lowest(written)?, format!("{}:{line}", self.path)))
            }
            Format::Python(python::File::Lines(_)) => None,
            Format::Node(file) => file.minimum().map(|(version, line)| (version, format!("{}:{line}", self.path))),
        }
    }

    /// How the manifest says a lowest language version.
    #[must_use]
    pub fn says_minimum(&self, version: &Version) -> String {
        let Version { major, minor, .. } = version;
        match &self.format {
            Format::Cargo { .. } => format!("rust-version = \"{major}.{minor}\""),
            Format::Python(_) => format!("requires-python = \">={major}.{minor}\""),
            Format::Node(_) => format!("\"engines\": {{ \"node\": \">={major}.{minor}\" }}"),
        }
    }
}

fn cargo_minimum(own: &Toml<'_>, root: Option<&Toml<'_>>, path: &str) -> Option<(Version, String)> {
    let written = own.item(&["package", "rust-version"]).and_then(Item::as_str);
    let shared = root.and_then(|root| root.item(&["workspace", "package", "rust-version"])?.as_str());
    let inherits = own.item(&["package", "rust-version", "workspace"]).is_some();
    let (written, at) = match (written, inherits) {
        (Some(own_version), _) => (own_version, format!("{path}:{}", own.line(&["package"], "rust-version"))),
        (None, true) => (shared.unwrap_or_default(), format!("the workspace's {path}")),
        (None, false) => return None,
    };
    cargo_toml::lowest(written).map(|version| (version, at))
}

fn is_python(path: &str) -> bool {
    ["pyproject.toml", python::LINES].contains(&path)
}

/// Whether a project whose manifest has this requirement of a framework is served; `None` if it cannot be told.
#[must_use]
pub fn serves(path: &str, versions: &VersionReq, requirement: Option<&str>) -> Option<bool> {
    match requirement {
        // Without a version the newest is meant.
        requirement if is_python(path) => Some(requirement.is_none_or(|written| python::meets(versions, written))),
        Some(written) if path == package_json::NAME => Some(npm::meets(versions, written)),
        Some(written) => Some(manifest::lowest(written).is_some_and(|version| versions.matches(&version))),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::project::Text;

    fn open<'t>(path: &'t str, text: &'t str, workspace: &'t Workspace) -> Dependencies<'t> {
        Dependencies::open(path, text, workspace).unwrap()
    }

    #[test]
    fn facts_of_a_crate() {
        let root = |text: &str| Workspace { manifest: Some(Text::new(text)), lock: None };
        let shared = root("[workspace.package]\nedition = \"2021\"\nrust-version = \"1.94\"\n");
        for (text, workspace, expected) in [
            ("[package]\nname = \"a-b\"\nedition = \"2024\"\n", &Workspace::default(), ["a-b", "a_b", "2024"]),
            ("[package]\nname = \"a\"\n[lib]\nname = \"other\"\n", &Workspace::default(), ["a", "other", "2015"]),
            ("[package]\nname = \"a\"\nedition.workspace = true\n", &shared, ["a", "a", "2021"]),
        ] {
            let facts = open("Cargo.toml", text, workspace).project().unwrap();
            assert_eq!([&facts["name"], &facts["library"], &facts["edition"]], expected, "{text}");
        }
        assert!(open("Cargo.toml", "[workspace]\n", &shared).project().is_err());
        let minimum = |text: &str| open("Cargo.toml", text, &shared).minimum();
        assert_eq!(minimum("[package]\n"), None);
        assert_eq!(minimum("[package]\nrust-version = \"1.80\"\n").unwrap().1, "Cargo.toml:2");
        assert_eq!(minimum("[package]\nrust-version.workspace = true\n").unwrap().0, Version::new(1, 94, 0));
    }

    #[test]
    fn facts_of_a_python_project() {
        let none = Workspace::default();
        let there = open("pyproject.toml", "[project]\nname = \"My.App\"\nrequires-python = \">=3.9\"\n", &none);
        let facts = there.project().unwrap();
        let expected = ["My.App", "my_app", "pyproject.toml"];
        assert_eq!([&facts["name"], &facts["library"], &facts["manifest"]], expected);
        assert_eq!(there.minimum(), Some((Version::new(3, 9, 0), "pyproject.toml:3".to_owned())));
        assert_eq!(there.says_minimum(&Version::new(3, 11, 0)), "requires-python = \">=3.11\"");
        let lines = open("requirements.txt", "fastapi\n", &none);
        assert_eq!((&lines.project().unwrap()["name"], lines.minimum()), (&json!("app"), None));
    }

    #[test]
    fn facts_of_a_node_project() {
        let none = Workspace::default();
        let there = open("package.json", "{ \"name\": \"@me/app\",\n\"engines\": { \"node\": \">=20\" } }", &none);
        let facts = there.project().unwrap();
        assert_eq!([&facts["name"], &facts["manifest"]], ["@me/app", "package.json"]);
        assert_eq!(there.minimum(), Some((Version::new(20, 0, 0), "package.json:2".to_owned())));
        assert_eq!(there.says_minimum(&Version::new(22, 13, 0)), "\"engines\": { \"node\": \">=22.13\" }");
    }

    #[test]
    fn a_framework_is_served_in_a_version_that_can_be_resolved() {
        let range: VersionReq = ">=0.115, <1".parse().unwrap();
        for (path, requirement, expected) in [
            ("requirements.txt", None, Some(true)),
            ("pyproject.toml", Some(">=0.100"), Some(true)),
            ("pyproject.toml", Some("==0.99.1"), Some(false)),
            ("Cargo.toml", Some("0.115"), Some(true)),
            ("Cargo.toml", Some("0.100"), Some(false)),
            ("Cargo.toml", None, None),
            ("package.json", Some("^0.115.0"), Some(true)),
            ("package.json", Some("0.100.x"), Some(false)),
            ("package.json", Some("latest"), Some(true)),
        ] {
            assert_eq!(serves(path, &range, requirement), expected, "{path} {requirement:?}");
        }
    }

    #[test]
    fn a_requirement_means_what_its_manifest_means_by_it() {
        let none = Workspace::default();
        let there = |path: &'static str| match path {
            "package.json" => open(path, "{}", &none),
            _ => open(path, "", &none),
        };
        for (path, requirement, version, admitted) in [
            ("Cargo.toml", "1.2.3", "1.3.0", true),
            ("Cargo.toml", "1", "2.0.0", false),
            ("Cargo.toml", "?", "1.0.0", false),
            ("package.json", "1.2.3", "1.3.0", false),
            ("package.json", "^1.2.3 || ^2", "2.1.0", true),
            ("package.json", "latest", "2.1.0", false),
            ("requirements.txt", "==1.2.3", "1.3.0", false),
            ("requirements.txt", "~=1.2", "1.3.0", true),
            ("requirements.txt", ">=1.3.1,<2", "1.10.0+post1", true),
            ("pyproject.toml", "", "1.3.0", true),
        ] {
            let found = there(path).admits(Some(requirement), &version.parse().unwrap());
            assert_eq!(found, admitted, "{path} {requirement} {version}");
        }
        for (path, requirement, lowest) in [
            ("Cargo.toml", "1.2", Some("1.2.0")),
            ("package.json", "^2 || 1.4.x", Some("1.4.0")),
            ("package.json", "latest", None),
            ("pyproject.toml", "!=1.9,>=1.3.1", Some("1.3.1")),
        ] {
            let found = there(path).lowest(requirement).map(|version| version.to_string());
            assert_eq!(found.as_deref(), lowest, "{path} {requirement}");
        }
        assert!(there("requirements.txt").admits(None, &Version::new(1, 0, 0)));
    }

    #[test]
    fn a_choice_suits_a_package_with_an_extra() {
        let none = Workspace::default();
        let there = open("requirements.txt", "psycopg[binary]>=3\n", &none);
        let suits = |feature: Option<&str>| {
            there.has(&Suits { depends: "psycopg".to_owned(), feature: feature.map(str::to_owned) })
        };
        assert_eq!((suits(None), suits(Some("binary")), suits(Some("pool"))), (true, true, false));
    }
}

//! A Gradle build: dependencies are named `group:artifact`, plugins `plugin:id`. What its code computes is not read.

use std::{collections::BTreeMap, sync::LazyLock};

use anyhow::Result;
use regex::{Captures, Regex};
use toml_edit::{Item, TableLike};

use super::named::{Above, Named, Scope};
use crate::core::{anchor::line_of, edit::toml::Toml};

/// The catalogue of versions, where Gradle looks for it.
pub const CATALOG: &str = "gradle/libs.versions.toml";
pub const PROPERTIES: &str = "gradle.properties";

fn expression(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static PLUGIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r#"\bid[ \t]*\(?[ \t]*["']([\w.-]+)["'][ \t]*\)?(?:[ \t]*version[ \t]*\(?[ \t]*["']([^"']+)["'])?([^\n]*)"#,
    )
});
static APPLIED: LazyLock<Option<Regex>> =
    LazyLock::new(|| expression(r#"\bapply\s*\(?\s*plugin\s*[:=]\s*["']([\w.-]+)["']"#));
static KOTLIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| expression(r#"\bkotlin\(\s*"([\w.]+)"\s*\)(?:\s*version\s*"([^"]+)")?"#));
static ALIAS: LazyLock<Option<Regex>> =
    LazyLock::new(|| expression(r"\balias\s*\(\s*libs\.plugins\.([\w.]+)\s*\)([^\n]*)"));
static LIBRARY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r#"\b(\w+)\s*[( ]\s*(?:(?:enforcedPlatform|platform)\s*\(\s*)?["']([\w.-]+):([\w.-]+)(?::([^"'@:]+))?["':@]"#,
    )
});
static PARTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r#"\b(\w+)\s*\(?\s*group\s*[:=]\s*["']([\w.-]+)["']\s*,\s*name\s*[:=]\s*["']([\w.-]+)["'](?:\s*,\s*version\s*[:=]\s*["']?([^"',)\s]+))?"#,
    )
});
static LIBS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(r"\b(\w+)\s*[( ]\s*(?:(?:enforcedPlatform|platform)\s*\(\s*)?libs\.([\w.]+?)(?:\.get\(\))?\s*[)\n]")
});
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(r#"(?m)^\s*(?:val |def |ext\.|set\(\s*["'])?\s*(\w+)(?:["']\s*,|\s*=)\s*["']([^"'$\n]+)["']"#)
});
static COMMENT: LazyLock<Option<Regex>> = LazyLock::new(|| expression(r"(?m)(^|\s)//[^\n]*"));

/// # Errors
/// When the catalogue is not TOML.
pub fn build(source: &str, above: &Above) -> Result<Vec<Named>> {
    let blank = |found: &Captures<'_>| found[0].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>();
    let code = COMMENT.as_ref().map_or_else(|| source.into(), |comment| comment.replace_all(source, blank));
    let mut build = Build { source, code: &code, variables: variables(&code, above), found: vec![] };
    for (expression, name) in [(&PLUGIN, 1), (&APPLIED, 1)] {
        build.each(expression, |found| {
            let scope = if applied(found.get(3)) { Scope::Build } else { Scope::Version };
            Some((format!("plugin:{}", &found[name]), version(found, 2), scope))
        });
    }
    build.each(&KOTLIN, |found| Some((format!("plugin:kotlin-{}", &found[1]), version(found, 2), Scope::Build)));
    for expression in [&LIBRARY, &PARTS] {
        build.each(expression, |found| {
            Some((format!("{}:{}", &found[2], &found[3]), version(found, 4), scope(&found[1])?))
        });
    }
    for (_, catalog) in above.iter().filter(|(name, _)| name.ends_with(CATALOG)) {
        build.add_catalog(&Catalog::read(catalog)?);
    }
    build.found.sort_by_key(|named| named.line);
    Ok(build.found)
}

fn version(found: &Captures<'_>, group: usize) -> Option<String> {
    found.get(group).map(|version| version.as_str().to_owned())
}

fn applied(rest: Option<regex::Match<'_>>) -> bool {
    rest.is_none_or(|rest| !rest.as_str().contains("apply false") && !rest.as_str().contains("apply(false)"))
}

/// What a configuration is for; `None` if it is no configuration that takes libraries.
fn scope(configuration: &str) -> Option<Scope> {
    let lower = configuration.to_lowercase();
    match lower.as_str() {
        _ if lower.contains("test") => Some(Scope::Dev),
        "classpath" | "mavenbom" => Some(Scope::Build),
        "id" | "exclude" | "force" | "module" | "because" | "url" | "mainclass" => None,
        _ => Some(Scope::Runtime),
    }
}

/// Texts that are given a name: in the build, in builds above, in `gradle.properties`.
fn variables(code: &str, above: &Above) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let builds = above.iter().filter(|(name, _)| name.starts_with("build.gradle"));
    for text in std::iter::once(code).chain(builds.map(|(_, text)| *text)) {
        for found in ASSIGNED.iter().flat_map(|assigned| assigned.captures_iter(text)) {
            variables.entry(found[1].to_owned()).or_insert_with(|| found[2].to_owned());
        }
    }
    for line in above.iter().filter(|(name, _)| name.ends_with(PROPERTIES)).flat_map(|(_, text)| text.lines()) {
        if let Some((name, value)) = line.split_once('=') {
            variables.entry(name.trim().to_owned()).or_insert_with(|| value.trim().to_owned());
        }
    }
    variables
}

struct Build<'a> {
    source: &'a str,
    code: &'a str,
    variables: BTreeMap<String, String>,
    found: Vec<Named>,
}

impl Build<'_> {
    fn each(
        &mut self,
        expression: &LazyLock<Option<Regex>>,
        read: impl Fn(&Captures<'_>) -> Option<(String, Option<String>, Scope)>,
    ) {
        for found in expression.iter().flat_map(|expression| expression.captures_iter(self.code)) {
            let Some(at) = found.get(0) else { continue };
            if let Some((name, version, scope)) = read(&found) {
                let version = version.and_then(|version| self.resolved(&version));
                let line = line_of(self.source, at.start());
                self.found.push(Named::on(line, &name, version.as_deref(), scope));
            }
        }
    }

    /// A version with what `$name` or `${name}` stands for; `None` if that is written nowhere.
    fn resolved(&self, version: &str) -> Option<String> {
        let Some(name) = version.strip_prefix('$') else {
            return (!version.contains('$')).then(|| version.to_owned());
        };
        let name = name.trim_start_matches('{').trim_end_matches('}');
        let name = name.rsplit(['.', ' ']).next()?.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
        self.variables.get(name).cloned()
    }

    fn add_catalog(&mut self, catalog: &Catalog) {
        self.each(&ALIAS, |found| {
            let (id, version) = catalog.plugins.get(&found[1].replace('_', "."))?.clone();
            let scope = if applied(found.get(2)) { Scope::Build } else { Scope::Version };
            Some((format!("plugin:{id}"), version, scope))
        });
        for index in 0..catalog.most {
            self.each(&LIBS, |found| {
                let alias = found[2].replace('_', ".");
                let members = match alias.strip_prefix("bundles.") {
                    Some(bundle) => catalog.bundles.get(bundle)?.clone(),
                    None => vec![alias],
                };
                let (name, version) = catalog.libraries.get(members.get(index)?)?.clone();
                Some((name, version, scope(&found[1])?))
            });
        }
    }
}

/// Names with dots, whatever stands between their words in the file.
#[derive(Default)]
struct Catalog {
    libraries: BTreeMap<String, (String, Option<String>)>,
    plugins: BTreeMap<String, (String, Option<String>)>,
    bundles: BTreeMap<String, Vec<String>>,
    /// The length of the longest bundle, and at least one.
    most: usize,
}

impl Catalog {
    fn read(text: &str) -> Result<Self> {
        let toml = Toml::parse(text)?;
        let mut catalog = Self { most: 1, ..Self::default() };
        let entries = |table: &str| {
            let all = toml.item(&[table]).and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
            all.map(|(name, item)| (dotted(name), item)).collect::<Vec<_>>()
        };
        for (name, item) in entries("libraries") {
            catalog.libraries.extend(coordinates(&toml, item, "module").map(|found| (name, found)));
        }
        for (name, item) in entries("plugins") {
            catalog.plugins.extend(coordinates(&toml, item, "id").map(|found| (name, found)));
        }
        for (name, item) in entries("bundles") {
            let members = item.as_array().into_iter().flatten().filter_map(|member| member.as_str().map(dotted));
            let members: Vec<String> = members.collect();
            catalog.most = catalog.most.max(members.len());
            catalog.bundles.insert(name, members);
        }
        Ok(catalog)
    }
}

fn dotted(name: &str) -> String {
    name.replace(['-', '_'], ".")
}

fn coordinates(toml: &Toml<'_>, item: &Item, key: &str) -> Option<(String, Option<String>)> {
    if let Some(text) = item.as_str() {
        let (name, version) = text.rsplit_once(':')?;
        return Some((name.to_owned(), Some(version.to_owned())));
    }
    let table = item.as_table_like()?;
    let text = |key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
    let name = text(key).or_else(|| Some(format!("{}:{}", text("group")?, text("name")?)))?;
    let reference = table.get("version").and_then(|version| version.as_table_like()?.get("ref")?.as_str());
    let version = text("version").or_else(|| {
        let found = toml.item(&["versions", reference?])?;
        found.as_str().or_else(|| found.as_table_like()?.get("require")?.as_str()).map(str::to_owned)
    });
    Some((name, version))
}

//! A `pom.xml`: dependencies are named `group:artifact`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use roxmltree::{Document, Node};

use super::named::{Above, Named, Scope};

/// # Errors
/// When the text is not XML.
pub fn pom(text: &str, above: &Above) -> Result<Vec<Named>> {
    let document = Document::parse(text.trim_start_matches('\u{feff}')).context("not valid XML")?;
    let root = document.root_element();
    let mut properties = BTreeMap::new();
    collect(root, &mut properties);
    let parents = above.iter().filter(|(name, _)| name == "pom.xml");
    for parent in parents.filter_map(|(_, text)| Document::parse(text.trim_start_matches('\u{feff}')).ok()) {
        collect(parent.root_element(), &mut properties);
    }
    let read = |node: Node<'_, '_>, scope: Scope| entry(node, scope, &properties);
    let mut found: Vec<Named> = child(root, "parent").and_then(|node| read(node, Scope::Build)).into_iter().collect();
    found.extend(own(text, root, &properties));
    let profiles = children(root, "profiles").flat_map(|all| children(all, "profile"));
    for part in std::iter::once(root).chain(profiles) {
        let dependencies = children(part, "dependencies").flat_map(|all| children(all, "dependency"));
        found.extend(dependencies.filter_map(|node| read(node, scope(node))));
        let managed = child(part, "dependencyManagement").and_then(|all| child(all, "dependencies"));
        let managed = managed.into_iter().flat_map(|all| children(all, "dependency"));
        found.extend(managed.filter_map(|node| read(node, Scope::Version)));
        let build = child(part, "build");
        let plugins = build.and_then(|build| child(build, "plugins"));
        let plugins = plugins.into_iter().flat_map(|all| children(all, "plugin"));
        found.extend(plugins.filter_map(|node| read(node, Scope::Build)));
    }
    Ok(found)
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

fn value<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    child(node, name)?.text().map(str::trim)
}

fn scope(dependency: Node<'_, '_>) -> Scope {
    if value(dependency, "scope") == Some("test") { Scope::Dev } else { Scope::Runtime }
}

/// Properties that are not there yet: the nearest counts.
fn collect(root: Node<'_, '_>, properties: &mut BTreeMap<String, String>) {
    let all = child(root, "properties").into_iter().flat_map(|all| all.children()).filter(Node::is_element);
    for property in all {
        let value = property.text().unwrap_or_default().trim().to_owned();
        properties.entry(property.tag_name().name().to_owned()).or_insert(value);
    }
    if let Some(version) = value(root, "version") {
        properties.entry("project.version".to_owned()).or_insert_with(|| version.to_owned());
    }
}

/// The project's own name. A group that is its parent's tells nothing: any project may have a framework's parent.
fn own(text: &str, root: Node<'_, '_>, properties: &BTreeMap<String, String>) -> Option<Named> {
    let artifact = child(root, "artifactId")?;
    let group = resolved(value(root, "groupId")?, properties)?;
    let name = format!("{group}:{}", artifact.text().unwrap_or_default().trim());
    Some(Named::own(text, artifact.range().start, &name))
}

fn entry(node: Node<'_, '_>, scope: Scope, properties: &BTreeMap<String, String>) -> Option<Named> {
    let artifact = child(node, "artifactId")?;
    let group = value(node, "groupId").unwrap_or("org.apache.maven.plugins");
    let group = resolved(group, properties).unwrap_or_else(|| group.to_owned());
    let version = value(node, "version").and_then(|version| resolved(version, properties));
    let line = node.document().text_pos_at(artifact.range().start).row as usize;
    let name = format!("{group}:{}", artifact.text().unwrap_or_default().trim());
    Some(Named::on(line, &name, version.as_deref(), scope))
}

/// A version with what `${…}` stands for; `None` if that is written nowhere.
fn resolved(version: &str, properties: &BTreeMap<String, String>) -> Option<String> {
    let mut version = version.to_owned();
    // A property may name another one; a cycle ends here.
    for _ in 0..4 {
        let Some(name) = version.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return Some(version);
        };
        version.clone_from(properties.get(name)?);
    }
    None
}

//! A project of `MSBuild`: its SDK and its target framework are named like packages.

use anyhow::{Context as _, Result};
use roxmltree::{Document, Node};

use super::named::{Above, Named, Scope};

/// # Errors
/// When the text is not XML.
pub fn project(text: &str, above: &Above) -> Result<Vec<Named>> {
    let own = text.trim_start_matches('\u{feff}');
    let document = Document::parse(own).context("not valid XML")?;
    let root = document.root_element();
    let line = |node: Node<'_, '_>| document.text_pos_at(node.range().start).row as usize;
    let mut found = vec![];
    let sdks = root.attribute("Sdk").into_iter().flat_map(|all| all.split(';'));
    found.extend(sdks.map(|sdk| {
        let (name, version) = sdk.split_once('/').map_or((sdk, None), |(name, version)| (name, Some(version)));
        Named::on(line(root), name.trim(), version, Scope::Runtime)
    }));
    for node in root.descendants().filter(Node::is_element) {
        let named = |name: &str, version: Option<&str>| Named::on(line(node), name, version, Scope::Runtime);
        let version = || node.attribute("Version");
        match (node.tag_name().name(), node.attribute("Include")) {
            ("PackageReference", Some(name)) => found.push(named(name, version())),
            ("FrameworkReference", Some(name)) => found.push(named(name, None)),
            ("Sdk", _) => found.extend(node.attribute("Name").map(|name| named(name, version()))),
            ("OutputType" | "ProjectTypeGuids" | "IsTestProject", _) => {
                let value = node.text().unwrap_or_default().trim().to_lowercase();
                found.push(named(&format!("{}:{value}", node.tag_name().name()), None));
            }
            _ => {}
        }
    }
    found.extend(target(own));
    if !found.iter().any(|named| named.name == TARGET) {
        let mut props = above.iter().filter(|(name, _)| name.ends_with("Directory.Build.props"));
        found.extend(props.find_map(|(_, text)| target(text.trim_start_matches('\u{feff}'))));
    }
    Ok(found)
}

/// The name under which a project's target framework is told.
pub const TARGET: &str = "TargetFramework";

fn target(text: &str) -> Option<Named> {
    let document = Document::parse(text).ok()?;
    let is_target = |node: &Node<'_, '_>| matches!(node.tag_name().name(), "TargetFramework" | "TargetFrameworks");
    let node = document.descendants().find(is_target)?;
    let written = node.text()?.trim().split(';').next()?;
    let version = written.trim_start_matches("netcoreapp").trim_start_matches("net");
    let version = (!version.contains('$')).then_some(version);
    let line = document.text_pos_at(node.range().start).row as usize;
    let told = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim().to_owned();
    Some(Named { text: told, ..Named::on(line, TARGET, version, Scope::Version) })
}

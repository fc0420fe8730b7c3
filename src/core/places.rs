//! Where the anchors of a pack are in a project, and what templates may know of them.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{
    anchor::{self, Found, Place},
    pack::Anchor,
    plan::Input,
    problem::Problem,
    project::{Text, Tree},
    render::{self, Facts},
};

/// Each anchor's place, if it has one; an error if it has several and nothing chooses.
pub type Places = BTreeMap<String, Result<Option<Place>, Problem>>;

/// Looks for the anchors, and adds them and the pack's names to the facts. With `later`, an ambiguous anchor is an
/// error only for who wants to wire there: an earlier `add` may have wired it already.
///
/// # Errors
/// When an anchor is ambiguous (exit 4), or `--at` names no place (exit 2).
pub fn find(input: &Input<'_>, later: bool, facts: &mut Facts) -> Result<Places> {
    let mut places = Places::new();
    for anchor in &input.pack.manifest.anchor {
        let globs: Vec<String> =
            anchor.globs.iter().map(|glob| render::render(&anchor.id, glob, facts)).collect::<Result<_>>()?;
        let found = anchor::locate(&input.pack.language, anchor, &globs, input.tree)?;
        let place = choose(anchor, found, input);
        if let Err(problem) = &place
            && (!later || problem.exit_code() == 2)
        {
            return Err(problem.clone().into());
        }
        let known = place.as_ref().ok().and_then(Option::as_ref);
        facts.insert(anchor.id.clone(), place_facts(known, input.tree));
        places.insert(anchor.id.clone(), place);
    }
    for var in &input.pack.manifest.var {
        let value = render::render(&var.name, &var.value, facts)?;
        facts.insert(var.name.clone(), json!(value));
    }
    Ok(places)
}

fn choose(anchor: &Anchor, found: Found, input: &Input<'_>) -> Result<Option<Place>, Problem> {
    let wanted = input.at.get(&anchor.id);
    let all = match found {
        Found::None => vec![],
        Found::One(place) => vec![place],
        Found::Several(places) => places,
    };
    let line = |place: &Place| {
        let text = input.tree.get(&place.path).map_or("", Text::raw);
        place.at.as_ref().map_or(1, |at| anchor::line_of(text, at.range.start))
    };
    let id = &anchor.id;
    if let Some((path, number)) = wanted {
        let chosen = all.iter().find(|place| place.path == *path && line(place) == *number);
        return chosen.cloned().map(Some).ok_or_else(|| {
            let fix = format!("name the file and line of {}", anchor.describe);
            Problem::usage(format!("`--at {id}={path}:{number}`: {} is not there", anchor.describe), fix)
        });
    }
    if all.len() < 2 {
        return Ok(all.into_iter().next());
    }
    let list: Vec<String> = all.iter().map(|place| format!("  {}:{}", place.path, line(place))).collect();
    let what = format!("found {} places that could be {}\n{}", all.len(), anchor.describe, list.join("\n"));
    let fix = format!("choose one with `--at {id}={}`", list[0].trim());
    Err(Problem::unsupported(what, fix))
}

fn place_facts(place: Option<&Place>, tree: &Tree) -> Value {
    let Some(place) = place else {
        return json!({ "found": false, "path": "", "folders": [], "line": 0, "text": {}, "kind": {} });
    };
    let captures = place.at.iter().flat_map(|at| &at.captures);
    let (text, kind): (Map<_, _>, Map<_, _>) =
        captures.map(|(name, c)| ((name.clone(), json!(c.text)), (name.clone(), json!(c.kind)))).unzip();
    let source = tree.get(&place.path).map_or("", Text::raw);
    let line = place.at.as_ref().map_or(1, |at| anchor::line_of(source, at.range.start));
    let path = place.path.as_str();
    let folders: Vec<&str> = path.rsplit_once('/').map_or(vec![], |(folder, _)| folder.split('/').collect());
    json!({ "found": true, "path": path, "folders": folders, "line": line, "text": text, "kind": kind })
}

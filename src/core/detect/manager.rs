//! Package managers, and the workspaces that packages are members of.

use super::{
    Evidence,
    knowledge::{Ecosystem, Knowledge, Manager},
    package::{Package, join, upwards},
    sight::Sight,
};
use crate::core::{
    anchor::line_of,
    manifest::{self, members::members},
    project::Text,
};

/// What is told of a package manager.
#[derive(Default)]
pub struct Managed {
    pub name: Option<String>,
    pub evidence: Option<Evidence>,
    /// Why none is told.
    pub conflict: Option<String>,
}

/// The package manager of a package: what a manifest says, then lock files; the nearest folder that has either counts.
#[must_use]
pub fn manager(ecosystem: &Ecosystem, sight: &Sight<'_>, package: &Package<'_>, member: bool) -> Managed {
    let own = package.folder.as_str();
    let levels = upwards(own).filter(|at| member || !ecosystem.apart || *at == own);
    let places = levels.map(|at| Place::Below(sight, at));
    let above = sight.above.iter().filter(|_| member || !ecosystem.apart || own.is_empty());
    for place in places.chain(above.map(Place::Above)) {
        if let Some(found) = at(ecosystem, &place) {
            return found;
        }
    }
    let default = ecosystem.manager.iter().find(|manager| manager.default && !package.manifests.is_empty());
    Managed { name: default.map(|manager| manager.name.clone()), ..Managed::default() }
}

/// A folder that may hold a lock file.
enum Place<'a> {
    Below(&'a Sight<'a>, &'a str),
    Above(&'a super::sight::Above),
}

impl Place<'_> {
    fn path(&self, name: &str) -> String {
        match self {
            Place::Below(_, folder) => join(folder, name),
            Place::Above(above) => join(&above.path, name),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Place::Below(sight, folder) => sight.has(&join(folder, name)),
            Place::Above(above) => above.files.iter().any(|(file, _)| file == name),
        }
    }

    fn text(&self, name: &str) -> Option<Text> {
        match self {
            Place::Below(sight, folder) => sight.text(&join(folder, name)).map(|text| (*text).clone()),
            Place::Above(above) => above.files.iter().find(|(file, _)| file == name).map(|(_, text)| text.clone()),
        }
    }
}

fn at(ecosystem: &Ecosystem, place: &Place<'_>) -> Option<Managed> {
    let managers = &ecosystem.manager;
    for manager in managers {
        for says in &manager.says {
            let Some(text) = place.text(&says.file) else { continue };
            let Some(at) = says.pattern.find(text.raw()) else { continue };
            let line = line_of(text.raw(), at);
            let text = super::sight::shorten(text.raw().lines().nth(line - 1).unwrap_or_default());
            let evidence = Some(Evidence { file: place.path(&says.file), line, text });
            return Some(Managed { name: Some(manager.name.clone()), evidence, conflict: None });
        }
    }
    let of = |files: fn(&Manager) -> &Vec<String>| -> Vec<(&Manager, String)> {
        let file = |manager: &Manager| files(manager).iter().find(|file| place.has(file)).cloned();
        managers.iter().filter_map(|one| Some((one, file(one)?))).collect()
    };
    let found = match of(|manager| &manager.locks) {
        locks if locks.is_empty() => of(|manager| &manager.files),
        locks => locks,
    };
    match found.as_slice() {
        [] => None,
        [(manager, file)] => {
            let evidence = Some(Evidence::there(place.path(file)));
            Some(Managed { name: Some(manager.name.clone()), evidence, conflict: None })
        }
        several => {
            let files: Vec<String> = several.iter().map(|(_, file)| format!("`{}`", place.path(file))).collect();
            let names: Vec<&str> = several.iter().map(|(manager, _)| manager.name.as_str()).collect();
            let conflict = format!(
                "{} are files of {}: delete those of the package managers that are not used",
                files.join(" and "),
                names.join(" and ")
            );
            let first = several.first().filter(|_| ecosystem.either);
            let evidence = first.map(|(_, file)| Evidence::there(place.path(file)));
            Some(Managed { name: first.map(|(one, _)| one.name.clone()), evidence, conflict: Some(conflict) })
        }
    }
}

/// The roots of workspaces.
pub struct Roots {
    /// Ecosystem, folder, name.
    files: Vec<(usize, String, String)>,
}

impl Roots {
    #[must_use]
    pub fn new(known: &Knowledge, sight: &Sight<'_>) -> Self {
        let mut files = vec![];
        for path in sight.paths() {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            for (index, ecosystem) in known.ecosystems.iter().enumerate() {
                if ecosystem.workspaces.iter().any(|glob| glob.matches(name)) {
                    files.push((index, folder.to_owned(), name.to_owned()));
                }
            }
        }
        Self { files }
    }

    /// The nearest root above a package that it is a member of, and the file that says so.
    #[must_use]
    pub fn of(&self, sight: &Sight<'_>, package: &Package<'_>) -> Option<(String, String)> {
        for at in upwards(&package.folder).filter(|at| *at != package.folder) {
            let inside = package.folder.strip_prefix(at).unwrap_or(&package.folder).trim_start_matches('/');
            let here =
                self.files.iter().filter(|(ecosystem, folder, _)| *ecosystem == package.ecosystem && folder == at);
            for (_, _, name) in here {
                let path = join(at, name);
                if sight.text(&path).is_some_and(|text| holds(name, text.raw(), inside)) {
                    return Some((if at.is_empty() { ".".to_owned() } else { at.to_owned() }, path));
                }
            }
        }
        let holds_above = |above: &&super::sight::Above| {
            let member = join(&above.below, &package.folder);
            let member = member.trim_end_matches('/');
            above.files.iter().any(|(name, text)| holds(name, text.raw(), member))
        };
        sight.above.iter().find(holds_above).map(|above| (above.path.clone(), above.path.clone()))
    }
}

fn holds(name: &str, text: &str, member: &str) -> bool {
    manifest::is_workspace(name, text, member) || members(name, text).is_some_and(|members| members.hold(member))
}

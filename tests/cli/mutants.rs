//! The list of mutants is complete, and each is where it says, whatever the other answers are.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::common::{
    mutants::{Mutants, of},
    options::{AXUM, BASES, DJANGO, EXPRESS, FASTAPI, Stack},
    read,
};

const STACK: &str = "axum";

/// What the pack's modules cover, as the catalogue names it.
const COVERED: [&str; 6] = ["core", "password", "email-verification", "password-reset", "jwt", "oidc"];
/// Groups of the catalogue that are about it.
const GROUPS: [&str; 18] = [
    "PWD", "REG", "THR", "SES", "CKE", "CSR", "RED", "OIC", "JWT", "RFT", "EML", "RST", "INP", "HDR", "LOG", "CFG",
    "STO", "RAC",
];

/// A name of the catalogue: one mutant, or a family.
struct Name {
    control: String,
    mutants: Mutated,
}

enum Mutated {
    One(String),
    /// `m1..m9`
    Numbers(usize),
    /// `m1..mN`: one for each endpoint, setting or column that there is.
    Any,
}

impl Name {
    fn parse(name: &str) -> Self {
        let (control, mutant) = name.split_once('.').unwrap();
        let mutants = match mutant.strip_prefix("m1..m") {
            None => Mutated::One(mutant.to_owned()),
            Some("N") => Mutated::Any,
            Some(last) => Mutated::Numbers(last.parse().unwrap()),
        };
        Self { control: control.to_owned(), mutants }
    }

    fn covers(&self, id: &str) -> bool {
        let Some((control, mutant)) = base(id).split_once('.') else { return false };
        let number = mutant.strip_prefix('m').and_then(|number| number.parse().ok());
        let is_named = match &self.mutants {
            Mutated::One(name) => mutant == name,
            Mutated::Numbers(last) => number.is_some_and(|number| (1..=*last).contains(&number)),
            Mutated::Any => number.is_some_and(|number| number > 0),
        };
        control == self.control && is_named
    }

    /// Whether all that it names is there.
    fn is_among(&self, ids: &[&str]) -> bool {
        let there = |mutant: &str| ids.iter().any(|id| base(id) == format!("{}.{mutant}", self.control));
        match &self.mutants {
            Mutated::One(name) => there(name),
            Mutated::Numbers(last) => (1..=*last).all(|number| there(&format!("m{number}"))),
            Mutated::Any => there("m1"),
        }
    }
}

/// An id without what it is about.
fn base(id: &str) -> &str {
    id.split('@').next().unwrap()
}

fn catalogue() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe/controls.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn names(controls: &[Value], wanted: impl Fn(&Value) -> bool) -> Vec<Name> {
    let mutants = controls.iter().filter(|control| wanted(control)).flat_map(|control| {
        let mutants = control["mutants"].as_array().unwrap();
        mutants.iter().map(|mutant| Name::parse(mutant["name"].as_str().unwrap()))
    });
    mutants.collect()
}

fn is_covered(control: &Value) -> bool {
    let id = control["id"].as_str().unwrap();
    let group = id.split('-').next().unwrap();
    GROUPS.contains(&group)
        && control["applies"].as_array().unwrap().iter().any(|one| COVERED.contains(&one.as_str().unwrap()))
}

fn ids(mutants: &Mutants) -> Vec<&str> {
    let all = mutants.all.iter().map(|mutant| mutant.id.as_str());
    all.chain(mutants.equivalent.iter().map(|equivalent| equivalent.id.as_str())).collect()
}

#[test]
fn mutants_are_those_of_the_catalogue() {
    let (mutants, controls) = (of(STACK), catalogue());
    let ids = ids(&mutants);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands twice");
    let named = names(&controls, |_| true);
    let unknown: Vec<_> = ids.iter().filter(|id| !named.iter().any(|name| name.covers(id))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let needed = names(&controls, is_covered);
    assert!(needed.len() > 200, "{}", needed.len());
    let missing: Vec<_> = needed.iter().filter(|name| !name.is_among(&ids)).map(|name| &name.control).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(mutants.equivalent.iter().all(|one| one.reason.len() > 20), "a reason says why");
}

#[test]
fn mutants_stand_once_under_every_answer() {
    for stack in [&AXUM, &FASTAPI, &EXPRESS, &DJANGO] {
        stand_once(stack);
    }
}

/// A pack may have a part of them, of those that there are.
#[test]
fn mutants_of_other_packs_are_of_the_catalogue() {
    let named = names(&catalogue(), |_| true);
    for stack in [&FASTAPI, &EXPRESS, &DJANGO] {
        let mutants = of(stack.id);
        let ids = ids(&mutants);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands twice");
        let unknown: Vec<_> = ids.iter().filter(|id| !named.iter().any(|name| name.covers(id))).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", stack.id);
    }
}

#[track_caller]
fn stand_once(stack: &Stack) {
    let mutants = of(stack.id);
    let mut seen = BTreeSet::new();
    for base in BASES.iter().filter(|base| base.stack.id == stack.id) {
        for flags in stack.combinations() {
            let project = base.with(&flags);
            for mutant in mutants.all.iter().filter(|mutant| mutant.fits(&flags)) {
                seen.insert(mutant.id.as_str());
                for edit in &mutant.edit {
                    let count = read(&project.dir, &edit.file).matches(&edit.find).count();
                    assert_eq!(count, 1, "{} {flags:?}: {}: {}: {}", base.name, mutant.id, edit.file, edit.find);
                    assert_ne!(edit.find, edit.replace, "{}", mutant.id);
                }
            }
        }
    }
    assert_eq!(seen.len(), mutants.all.len(), "a mutant that no app has");
}

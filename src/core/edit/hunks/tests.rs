use proptest::prelude::*;

use super::*;
use crate::core::edit::{splice, unsplice};

/// Each splice as the text it removes and the text it inserts.
fn told(before: &str, after: &str) -> Vec<(String, String)> {
    between(before, after).into_iter().map(|splice| (before[splice.range].to_owned(), splice.text)).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(removed, inserted)| ((*removed).to_owned(), (*inserted).to_owned())).collect()
}

#[test]
fn each_change_is_one_splice() {
    assert_eq!(told("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n"), pairs(&[("b\n", "B\n"), ("", "e\n")]));
    assert_eq!(told("same\n", "same\n"), []);
}

#[test]
fn what_does_not_stand_once_takes_its_neighbours_along() {
    assert_eq!(told("a\n}\nb\n}\n", "a\n}\nb\n}\n}\n"), pairs(&[("}\n", "}\n}\n")]));
    assert_eq!(told("a\nb\nc\n", "a\nc\n"), pairs(&[("a\nb\nc\n", "a\nc\n")]), "a removal is found by what is around");
}

proptest! {
    /// Whatever two texts are, the splices lead from one to the other and back, and each can be found by itself.
    #[test]
    fn splices_lead_there_and_back(before in "([abc]{0,2}\r?\n){0,9}[ab]?", after in "([abc]{0,2}\r?\n){0,9}[ab]?") {
        let (now, made) = splice(&before, between(&before, &after));
        prop_assert_eq!(&now, &after);
        let back = unsplice(&after, &made);
        prop_assert_eq!(back.as_deref(), Some(before.as_str()));
        for one in &made {
            let found = after.matches(&one.inserted).count() == 1 && !one.inserted.trim().is_empty();
            prop_assert!(found || one.inserted == after, "{:?} in {:?}", one, after);
        }
    }
}

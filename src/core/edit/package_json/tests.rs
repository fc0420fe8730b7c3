use super::*;
use crate::core::testing::edited;

fn wanted(name: &str, version: &str) -> Dependency {
    ::toml::from_str(&format!("name = '{name}'\nversion = '{version}'")).unwrap()
}

fn dev(dependency: Dependency) -> Dependency {
    Dependency { dev: true, ..dependency }
}

#[track_caller]
fn becomes(before: &str, all: &[Dependency], after: &str) {
    let add = |text: &str| File::parse(text).unwrap().add(all, NAME).unwrap();
    assert_eq!(edited(before, add(before)).0, after);
    assert!(add(after).iter().all(|outcome| *outcome == Outcome::Already));
    let crlf = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(edited(&crlf(before), add(&crlf(before))).0, crlf(after));
    serde_json::from_str::<Value>(after.trim_start_matches('\u{feff}')).unwrap();
}

#[test]
fn entries_go_where_npm_would_put_them() {
    let both = [wanted("kysely", "^0.29.9"), wanted("better-auth", "^1.7.25"), wanted("zod", "^4.0.0")];
    becomes(
        "{\n  \"name\": \"a\",\n  \"dependencies\": {\n    \"express\": \"^5.0.0\",\n    \"pino\": \"^10.0.0\"\n  }\n}\n",
        &both,
        "{\n  \"name\": \"a\",\n  \"dependencies\": {\n    \"better-auth\": \"^1.7.25\",\n    \"express\": \"^5.0.0\",\n    \
         \"kysely\": \"^0.29.9\",\n    \"pino\": \"^10.0.0\",\n    \"zod\": \"^4.0.0\"\n  }\n}\n",
    );
}

#[test]
fn entries_follow_a_table_that_has_an_order_of_its_own() {
    becomes(
        "{\n\t\"dependencies\": {\n\t\t\"pino\": \"1\",\n\t\t\"express\": \"5\"\n\t}\n}",
        &[wanted("better-auth", "^1.7.25")],
        "{\n\t\"dependencies\": {\n\t\t\"pino\": \"1\",\n\t\t\"express\": \"5\",\n\t\t\"better-auth\": \"^1.7.25\"\n\t}\n}",
    );
}

#[test]
fn tables_that_are_empty_or_not_there_are_made() {
    becomes(
        "\u{feff}{\n    \"name\": \"a\",\n    \"dependencies\": {}\n}\n",
        &[wanted("zod", "^4.0.0"), dev(wanted("@types/node", "^24.0.0"))],
        "\u{feff}{\n    \"name\": \"a\",\n    \"dependencies\": {\n        \"zod\": \"^4.0.0\"\n    },\n    \"devDependencies\": \
         {\n        \"@types/node\": \"^24.0.0\"\n    }\n}\n",
    );
    becomes(
        "{\n  \"dependencies\": { \"express\": \"^5.0.0\" }\n}\n",
        &[wanted("zod", "^4.0.0")],
        "{\n  \"dependencies\": { \"express\": \"^5.0.0\", \"zod\": \"^4.0.0\" }\n}\n",
    );
}

#[test]
fn a_manifest_on_one_line_is_left_to_its_owner() {
    let text = "{\"name\":\"a\"}";
    let outcomes = File::parse(text).unwrap().add(&[wanted("zod", "^4.0.0")], NAME).unwrap();
    let [Outcome::Manual(step)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((step.what.as_str(), step.text.as_str()), ("add to the dependencies", "\"zod\": \"^4.0.0\""));
}

#[test]
fn entries_that_are_there_count_by_their_range() {
    let text = "{\"dependencies\":{\"zod\":\"^3.0.0\",\"a\":\"file:../a\"},\"devDependencies\":{\"t\":\"1.0.0\"},\n\
                \"engines\":{\"node\":\">=20\"},\"overrides\":{\"o\":\"1\"}}";
    let file = File::parse(text).unwrap();
    let zod = Dependency { accept: Some(">=4, <5".parse().unwrap()), ..wanted("zod", "^4.0.0") };
    let refused = file.refuse_other(&zod, NAME).unwrap_err().to_string();
    assert!(refused.contains("package.json:1: `zod` ^3.0.0 is not a version"), "{refused}");
    assert_eq!(file.existing(&wanted("t", "1")), None);
    assert!(file.existing(&dev(wanted("t", "1"))).is_some());
    assert_eq!(file.replaced(&wanted("a", "1")).as_deref(), Some("`file:../a`"));
    assert_eq!(file.replaced(&wanted("o", "1")).as_deref(), Some("an entry of `overrides`"));
    assert_eq!(file.replaced(&zod), None);
    assert_eq!(file.minimum(), Some((Version::new(20, 0, 0), 2)));
    assert!(File::parse("[]").is_err() && File::parse("{,}").is_err());
}

#[test]
fn of_a_table_that_is_there_twice_the_one_that_counts_is_edited() {
    becomes(
        "{\n  \"dependencies\": { \"a\": \"1\" },\n  \"dependencies\": { \"b\": \"1\" }\n}\n",
        &[wanted("zod", "^4.0.0")],
        "{\n  \"dependencies\": { \"a\": \"1\" },\n  \"dependencies\": { \"b\": \"1\", \"zod\": \"^4.0.0\" }\n}\n",
    );
}

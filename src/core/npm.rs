//! Ranges of versions as npm writes them.

pub mod locks;

use semver::{Version, VersionReq};

use super::edit::cargo_toml;

/// The alternatives of a range; `None` if it names no versions, as an address or a tag does.
fn alternatives(range: &str) -> Option<Vec<VersionReq>> {
    range.split("||").map(|part| alternative(part.trim())).collect()
}

fn alternative(part: &str) -> Option<VersionReq> {
    if let Some((from, to)) = part.split_once(" - ") {
        return VersionReq::parse(&format!(">={}, <={}", from.trim(), to.trim())).ok();
    }
    let mut comparators: Vec<String> = vec![];
    for word in part.split_whitespace() {
        // An operator may stand apart from its version.
        match comparators.last_mut().filter(|last| last.ends_with(['<', '>', '=', '^', '~'])) {
            Some(operator) => operator.push_str(&plain(word)),
            None => comparators.push(comparator(word)),
        }
    }
    if comparators.is_empty() {
        return Some(VersionReq::STAR);
    }
    VersionReq::parse(&comparators.join(", ")).ok()
}

/// Without an operator exactly this version is meant, where cargo would mean compatible ones.
fn comparator(word: &str) -> String {
    let start = word.find(|c: char| !"<>=^~".contains(c)).unwrap_or(word.len());
    let (operator, version) = word.split_at(start);
    let version = plain(version);
    if operator.is_empty() && !version.contains('*') && !version.is_empty() {
        return format!("={version}");
    }
    format!("{operator}{version}")
}

fn plain(version: &str) -> String {
    version.strip_prefix('v').unwrap_or(version).replace(['x', 'X'], "*")
}

/// Whether a range admits a version; `None` if that cannot be told.
#[must_use]
pub fn admits(range: &str, version: &Version) -> Option<bool> {
    Some(alternatives(range)?.iter().any(|part| part.matches(version)))
}

/// The lowest version that a range admits.
#[must_use]
pub fn lowest(range: &str) -> Option<Version> {
    alternatives(range)?.iter().filter_map(|part| cargo_toml::lowest(&part.to_string())).min()
}

/// Whether some version is within both. What names no versions is taken at its word.
#[must_use]
pub fn meets(accept: &VersionReq, range: &str) -> bool {
    let Some(parts) = alternatives(range) else { return true };
    let floor = cargo_toml::lowest(&accept.to_string());
    parts.iter().any(|part| {
        let begins = cargo_toml::lowest(&part.to_string()).unwrap_or(Version::new(0, 0, 0));
        accept.matches(&begins) || floor.as_ref().is_some_and(|floor| part.matches(floor))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_admit_what_npm_admits() {
        for (range, version, expected) in [
            ("^5.0.0", "5.3.0", Some(true)),
            ("^5.0.0", "6.0.0", Some(false)),
            ("5.1.0", "5.2.0", Some(false)),
            ("5", "5.2.0", Some(true)),
            ("5.x", "5.2.0", Some(true)),
            ("v5.1.0", "5.1.0", Some(true)),
            (">= 4.18 <6", "5.0.0", Some(true)),
            ("4.18.0 - 5.1.0", "5.0.1", Some(true)),
            ("^4.0.0 || ^5.0.0", "5.0.1", Some(true)),
            ("~1.2.3", "1.3.0", Some(false)),
            ("*", "1.0.0", Some(true)),
            ("", "1.0.0", Some(true)),
            ("latest", "1.0.0", None),
            ("github:me/mine", "1.0.0", None),
            ("workspace:*", "1.0.0", None),
        ] {
            assert_eq!(admits(range, &version.parse().unwrap()), expected, "{range} {version}");
        }
    }

    #[test]
    fn the_lowest_of_a_range_and_what_two_have_in_common() {
        let low = |range: &str| lowest(range).map(|version| version.to_string());
        assert_eq!(low("^5.1.0").as_deref(), Some("5.1.0"));
        assert_eq!(low("^5.1.0 || ^4.2.0").as_deref(), Some("4.2.0"));
        assert_eq!(low(">=22.13").as_deref(), Some("22.13.0"));
        assert_eq!(low("latest"), None);
        let accept: VersionReq = ">=5.1, <6".parse().unwrap();
        for (range, expected) in
            [("^5.0.0", true), ("^4.18.0", false), ("5.2.0", true), ("5.0.0", false), ("*", true), ("next", true)]
        {
            assert_eq!(meets(&accept, range), expected, "{range}");
        }
    }
}

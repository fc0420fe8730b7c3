//! Versions and version specifiers of Python packages, as PEP 440 has them, told as versions of three parts.

use pep440_rs::{Operator, VersionSpecifiers};
use semver::{BuildMetadata, Prerelease, Version};

/// A version; `None` for what is none, and for epochs, which nothing else is compared with.
#[must_use]
pub fn version(text: &str) -> Option<Version> {
    told(&text.trim().parse().ok()?)
}

fn told(version: &pep440_rs::Version) -> Option<Version> {
    let release = version.release();
    let part = |at: usize| release.get(at).copied().unwrap_or(0);
    let mut told = Version::new(part(0), part(1), part(2));
    // Only what comes after a version is ordered by build metadata, as further parts and post-releases are.
    let mut after: Vec<String> = release.iter().skip(3).map(u64::to_string).collect();
    after.extend(version.post().map(|post| format!("post{post}")));
    told.build = BuildMetadata::new(&after.join(".")).ok()?;
    let pre = version.pre().map(|pre| format!("{}.{}", pre.kind, pre.number));
    // Sorts before `a`, `b` and `rc`.
    let pre = pre.or_else(|| version.dev().map(|dev| format!("0dev.{dev}")));
    told.pre = Prerelease::new(&pre.unwrap_or_default()).ok()?;
    (version.epoch() == 0).then_some(told)
}

/// What [`told`] was told of.
fn written(version: &Version) -> Option<pep440_rs::Version> {
    let Version { major, minor, patch, pre, build } = version;
    let after = if build.is_empty() { String::new() } else { format!(".{build}") };
    let pre = pre.replace('.', "").replace("0dev", ".dev");
    format!("{major}.{minor}.{patch}{after}{pre}").parse().ok()
}

/// Whether specifiers such as `>=1.2,<2` admit a version; `None` if they are none.
#[must_use]
pub fn admits(specifiers: &str, version: &Version) -> Option<bool> {
    let specifiers: VersionSpecifiers = specifiers.parse().ok()?;
    Some(specifiers.contains(&written(version)?))
}

/// The lowest version that specifiers admit, as far as they name one.
#[must_use]
pub fn lowest(specifiers: &str) -> Option<Version> {
    use Operator::{LessThan, LessThanEqual, NotEqual, NotEqualStar};
    let specifiers: VersionSpecifiers = specifiers.parse().ok()?;
    let is_floor = |operator| ![LessThan, LessThanEqual, NotEqual, NotEqualStar].contains(operator);
    let floors = specifiers.iter().filter(|one| is_floor(one.operator()));
    floors.filter_map(|one| told(one.version())).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str) -> Version {
        version(text).unwrap_or_else(|| panic!("{text} is no version"))
    }

    #[test]
    fn versions_sort_as_pep_440_says() {
        let sorted = [
            "1.0.dev3",
            "1.0a1",
            "1.0b2",
            "1.0rc1",
            "1.0",
            "1.0.post1",
            "1.0.0.1",
            "1.0.1",
            "1.2",
            "1.10",
            "2",
            "25.1.0",
        ];
        let parsed: Vec<Version> = sorted.iter().map(|text| is(text)).collect();
        let without_fourth = || parsed.iter().filter(|version| version.build.as_str() != "1");
        assert!(without_fourth().is_sorted(), "{parsed:?}");
        assert!(is("1.0.0.1") > is("1.0.0") && is("1.0.0.1") < is("1.0.1"));
        assert_eq!((is("v1.0-rc.1"), is("1.0+local")), (is("1.0c1"), is("1")));
        assert_eq!((version("1!2.0"), version("main"), version("")), (None, None, None));
    }

    #[test]
    fn specifiers_admit_what_pep_440_says() {
        let table = [
            (">=1.2,<2", "1.9.9", true),
            (">=1.2,<2", "2.0", false),
            (">=1.2,<2", "2.0rc1", false),
            (">=1.2,<2", "1.1", false),
            ("~=1.4.2", "1.4.9", true),
            ("~=1.4.2", "1.5", false),
            ("~=1.4", "1.9", true),
            ("~=1.4", "2.0", false),
            ("==1.*", "1.9", true),
            ("==1.*", "2.0", false),
            ("==1.2", "1.2.0", true),
            ("==1.2", "1.2.1", false),
            ("===1.2.0", "1.2.0", true),
            ("!=1.2, >=1", "1.2", false),
            ("!=1.2.*", "1.2.9", false),
            (">1.2", "1.2.post1", false),
            (">1.2", "1.3", true),
            ("<=1.2", "1.2", true),
            ("", "7", true),
        ];
        for (specifiers, text, admitted) in table {
            assert_eq!(admits(specifiers, &is(text)), Some(admitted), "{specifiers} of {text}");
        }
        assert_eq!((admits("^1.2", &is("1.2")), admits("latest", &is("1"))), (None, None));
    }

    #[test]
    fn the_lowest_is_the_highest_of_the_floors() {
        let table = [
            (">=1.2,<2", Some("1.2")),
            ("!=9,>=1,>=1.4.1", Some("1.4.1")),
            ("~=0.115.2", Some("0.115.2")),
            ("==2.*", Some("2")),
            ("<3", None),
            ("", None),
        ];
        for (specifiers, expected) in table {
            assert_eq!(lowest(specifiers), expected.map(is), "{specifiers}");
        }
    }
}

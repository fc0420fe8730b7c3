//! Versions and version specifiers of Python packages, as PEP 440 has them, compared as versions of three parts.

use semver::{BuildMetadata, Prerelease, Version};

/// A version; `None` for what is none, and for epochs, which nothing else is compared with.
#[must_use]
pub fn version(text: &str) -> Option<Version> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.trim_start_matches('v').split('+').next()?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (release, suffix) = text.split_at(end);
    let parts: Vec<u64> = release.trim_end_matches('.').split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let part = |at: usize| parts.get(at).copied().unwrap_or(0);
    let mut version = Version::new(part(0), part(1), part(2));
    // Only what comes after a version is ordered by build metadata, as further parts and post-releases are.
    let mut after: Vec<String> = parts.iter().skip(3).map(u64::to_string).collect();
    match suffix.trim_start_matches(['-', '_', '.']) {
        "" => {}
        post if post.starts_with("post") || post.starts_with('r') && !post.starts_with("rc") => {
            after.push(format!("post{}", digits(post)));
        }
        pre => version.pre = prerelease(pre)?,
    }
    version.build = BuildMetadata::new(&after.join(".")).ok()?;
    Some(version)
}

fn digits(text: &str) -> u64 {
    text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// `a1`, `b2`, `rc3` and `dev4` under names that sort as they do.
fn prerelease(text: &str) -> Option<Prerelease> {
    let letters: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let rank = match letters.as_str() {
        "dev" => "0dev",
        "a" | "alpha" => "a",
        "b" | "beta" => "b",
        "rc" | "c" | "pre" | "preview" => "rc",
        _ => return None,
    };
    let number = text[letters.len()..].trim_start_matches(['-', '_', '.']);
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    Prerelease::new(&format!("{rank}.{}", digits(&number[..end]))).ok()
}

/// One comparison, such as `>=1.2`.
struct Clause<'t> {
    operator: &'t str,
    version: Version,
    /// How many parts were written.
    parts: usize,
    /// Whether it ends in `.*`.
    any: bool,
}

fn clauses(specifiers: &str) -> Option<Vec<Clause<'_>>> {
    specifiers.split(',').map(str::trim).filter(|clause| !clause.is_empty()).map(clause).collect()
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let operator = ["===", "==", "!=", "~=", ">=", "<=", ">", "<"].into_iter().find(|known| text.starts_with(known))?;
    let written = text[operator.len()..].trim();
    let plain = written.strip_suffix(".*");
    let release = plain.unwrap_or(written);
    let parts = release.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.').count();
    Some(Clause { operator, version: version(release)?, parts, any: plain.is_some() })
}

impl Clause<'_> {
    fn admits(&self, version: &Version) -> bool {
        match self.operator {
            "!=" => !self.is(version),
            "~=" => *version >= self.version && self.begins(version, self.parts.saturating_sub(1)),
            ">=" => *version >= self.version,
            "<=" => *version <= self.version,
            ">" => *version > self.version && !self.same_release(version),
            // What comes before a version is no way to have less than it.
            "<" => *version < self.version && !(self.version.pre.is_empty() && self.same_release(version)),
            _ => self.is(version),
        }
    }

    fn is(&self, version: &Version) -> bool {
        if self.any { self.begins(version, self.parts) } else { *version == self.version }
    }

    fn same_release(&self, version: &Version) -> bool {
        self.begins(version, 3)
    }

    fn begins(&self, version: &Version, parts: usize) -> bool {
        let of = |version: &Version| [version.major, version.minor, version.patch];
        of(&self.version).iter().zip(of(version)).take(parts).all(|(a, b)| *a == b)
    }
}

/// Whether specifiers such as `>=1.2,<2` admit a version; `None` if they are none.
#[must_use]
pub fn admits(specifiers: &str, version: &Version) -> Option<bool> {
    Some(clauses(specifiers)?.iter().all(|clause| clause.admits(version)))
}

/// The lowest version that specifiers admit, as far as they name one.
#[must_use]
pub fn lowest(specifiers: &str) -> Option<Version> {
    let floors = clauses(specifiers)?.into_iter().filter(|clause| !["<", "<=", "!="].contains(&clause.operator));
    floors.map(|clause| clause.version).max()
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

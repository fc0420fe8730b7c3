//! What a build or a test may read: everything but the user's home, and of that what toolchains have there.
#![expect(clippy::disallowed_methods, reason = "what is in the home folder is looked up")]

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::process::Environment;

/// Toolchains, what they downloaded, and their settings where they stop without them.
const TOOLS: &[&str] = &[
    ".asdf",
    ".bun",
    ".cache/ccache",
    ".cache/node",
    ".cache/pip",
    ".cache/pnpm",
    ".cache/sccache",
    ".cache/uv",
    ".cache/yarn",
    ".config/uv",
    ".local/bin",
    ".local/lib",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/pipx",
    ".local/share/pnpm",
    ".local/share/uv",
    ".nix-profile",
    ".npm",
    ".nvm",
    ".pyenv",
    ".rustup",
    ".volta",
    ".yarn",
];
/// Cargo's home without what it knows the user by.
const CARGO: &[&str] = &[
    ".global-cache",
    ".package-cache",
    ".package-cache-mutate",
    "bin",
    "config",
    "config.toml",
    "env",
    "git",
    "registry",
];
/// Folders of the home that hold more than toolchains.
const SHARED: &[&str] = &["", ".cache", ".config", ".local", ".local/share"];

/// The user's home; `None` where it is not a folder of its own.
pub(super) fn folder(environment: &Environment) -> Option<PathBuf> {
    let home = Path::new(environment.get(OsStr::new("HOME"))?);
    fs::canonicalize(home).ok().filter(|real| home.is_absolute() && real.is_dir() && real.parent().is_some())
}

/// Where files may be read by `program`; `None` if there is no home to leave out.
pub(super) fn readable(environment: &Environment, program: &OsStr) -> Option<Vec<PathBuf>> {
    let home = folder(environment)?;
    let set = |name: &str| environment.get(OsStr::new(name)).map(PathBuf::from);
    let cargo = set("CARGO_HOME").unwrap_or_else(|| home.join(".cargo"));
    let cargo = fs::canonicalize(&cargo).unwrap_or(cargo);
    let mut allowed = beside(&home);
    allowed.extend(TOOLS.iter().map(|name| home.join(name)).chain(CARGO.iter().map(|name| cargo.join(name))));
    let programs = environment.get(OsStr::new("PATH")).into_iter().flat_map(std::env::split_paths);
    let real = fs::canonicalize(program).ok().and_then(|real| Some(real.parent()?.to_owned()));
    allowed.extend(programs.chain(real).filter_map(|folder| of_programs(&folder, &home, &cargo)));
    let named = environment.iter().filter(|(name, _)| {
        !["HOME", "PATH", "CARGO_HOME", "XDG_CACHE_HOME"].map(OsStr::new).contains(&name.as_os_str())
    });
    let named = named.flat_map(|(_, value)| std::env::split_paths(value)).filter(|path| path.is_absolute());
    allowed.extend(named.filter_map(|path| fs::canonicalize(path).ok()).filter(|path| is_inside(path, &home, &cargo)));
    allowed.retain(|path| path.exists());
    Some(allowed)
}

/// What is not on the way to the home folder.
fn beside(home: &Path) -> Vec<PathBuf> {
    let leads_home =
        |path: &PathBuf| fs::canonicalize(path).is_ok_and(|real| home.starts_with(&real) || real.starts_with(home));
    let entries = home.ancestors().skip(1).filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| !leads_home(path)).collect()
}

/// A folder of programs in the home, with what stands beside it where that is theirs: `bin` has its `lib`.
fn of_programs(folder: &Path, home: &Path, cargo: &Path) -> Option<PathBuf> {
    let folder = fs::canonicalize(folder).ok().filter(|folder| is_inside(folder, home, cargo))?;
    let above = folder.parent()?;
    let is_shared = above == cargo || SHARED.iter().any(|name| above == home.join(name));
    Some(if is_shared { folder } else { above.to_owned() })
}

/// In the home, and neither all of it nor all of what many share.
fn is_inside(path: &Path, home: &Path, cargo: &Path) -> bool {
    path.starts_with(home) && !cargo.starts_with(path) && !SHARED.iter().any(|name| home.join(name) == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_are_readable_and_secrets_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(folder.path()).unwrap().join("me");
        for name in [
            ".cargo/bin",
            ".cargo/registry",
            ".cargo/credentials.toml/x",
            ".ssh",
            ".aws",
            ".rustup",
            ".local/bin",
            ".local/share/keyrings",
            ".nvm/v22/bin",
            ".nvm/v22/lib",
            "work/shop/node_modules/.bin",
            "sdk/ssl",
            "../other",
        ] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        fs::write(home.join(".netrc"), "").unwrap();
        std::os::unix::fs::symlink(&home, home.join("../alias")).unwrap();
        let path =
            [".nvm/v22/bin", ".cargo/bin", ".local/bin", "work/shop/node_modules/.bin"].map(|name| home.join(name));
        let mut environment = Environment::new();
        environment.insert("HOME".into(), home.clone().into());
        environment.insert("PATH".into(), std::env::join_paths(path).unwrap());
        environment.insert("OPENSSL_DIR".into(), home.join("sdk/ssl").into());
        environment.insert("XDG_CACHE_HOME".into(), home.join(".cache").into());
        let allowed = readable(&environment, OsStr::new("/bin/sh")).unwrap();
        let may = |name: &str| {
            allowed.iter().any(|path| {
                fs::canonicalize(path).unwrap_or_default() != Path::new("") && home.join(name).starts_with(path)
            })
        };
        for name in [
            ".cargo/bin",
            ".cargo/registry",
            ".rustup/x",
            ".nvm/v22/lib",
            ".local/bin",
            "work/shop/node_modules/a",
            "sdk/ssl",
        ] {
            assert!(may(name), "{name}: {allowed:?}");
        }
        for name in [
            ".cargo/credentials.toml",
            ".ssh",
            ".aws",
            ".netrc",
            ".local/share/keyrings",
            "work/shop/.env",
            "x",
            "../alias",
        ] {
            assert!(!may(name), "{name}: {allowed:?}");
        }
        assert!(allowed.contains(&home.parent().unwrap().join("other")) && allowed.contains(&PathBuf::from("/usr")));
        environment.insert("HOME".into(), "/".into());
        assert_eq!(readable(&environment, OsStr::new("/bin/sh")), None);
    }
}

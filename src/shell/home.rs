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
    ".asdfrc",
    ".bun",
    ".cache/ccache",
    ".cache/node",
    ".cache/pip",
    ".cache/pnpm",
    ".cache/sccache",
    ".cache/uv",
    ".cache/yarn",
    ".config/mise",
    ".config/uv",
    ".local/bin",
    ".local/include",
    ".local/lib",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/pipx",
    ".local/share/pkgconfig",
    ".local/share/pnpm",
    ".local/share/uv/python",
    ".local/share/uv/tools",
    ".nix-profile",
    ".npm",
    ".nvm",
    ".pyenv",
    ".rustup",
    ".tool-versions",
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
/// What stands beside a `bin`.
const BESIDE: [&str; 7] = ["include", "lib", "lib64", "libexec", "pyvenv.cfg", "share", "shims"];
/// What toolchains keep in a folder of caches.
const CACHES: [&str; 7] = ["ccache", "node", "pip", "pnpm", "sccache", "uv", "yarn"];
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
    allowed.extend(programs.flat_map(|folder| of_programs(&folder, &home, &cargo)));
    allowed.extend(real.and_then(|folder| with_all_beside(&folder, &home, &cargo)));
    let caches = set("XDG_CACHE_HOME").map(|folder| CACHES.map(|name| folder.join(name)));
    allowed.extend(caches.into_iter().flatten());
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

/// A folder of programs in the home, with what belongs to `bin` wherever it stands. What else stands beside it may be
/// what the programs know the user by.
fn of_programs(folder: &Path, home: &Path, cargo: &Path) -> Vec<PathBuf> {
    let Some(folder) = fs::canonicalize(folder).ok().filter(|folder| is_inside(folder, home, cargo)) else {
        return vec![];
    };
    let above = folder.parent().filter(|above| is_inside(above, home, cargo)).unwrap_or(&folder);
    let beside = match folder.file_name().and_then(OsStr::to_str) {
        // Links to what is beside it, all of which is there to be run.
        Some(".bin") => vec![above.to_owned()],
        _ => BESIDE.map(|name| above.join(name)).to_vec(),
    };
    [vec![folder.clone()], beside].concat()
}

/// The folder above a program of the check, which is a toolchain's.
fn with_all_beside(folder: &Path, home: &Path, cargo: &Path) -> Option<PathBuf> {
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
            ".fly/bin",
            ".fly/lib",
            ".local/share/uv/python",
            ".local/share/uv/credentials",
            "../other",
        ] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        for name in [".netrc", ".fly/config.yml", ".tool-versions"] {
            fs::write(home.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(&home, home.join("../alias")).unwrap();
        let path = [".nvm/v22/bin", ".cargo/bin", ".fly/bin", ".local/bin", "work/shop/node_modules/.bin"]
            .map(|name| home.join(name));
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
            ".fly/bin",
            ".fly/lib",
            ".local/share/uv/python",
            ".tool-versions",
        ] {
            assert!(may(name), "{name}: {allowed:?}");
        }
        for name in [
            ".cargo/credentials.toml",
            ".ssh",
            ".aws",
            ".netrc",
            ".local/share/keyrings",
            ".local/share/uv/credentials",
            ".fly/config.yml",
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

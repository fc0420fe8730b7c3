//! The version of a language that is at hand.
#![expect(clippy::disallowed_methods, reason = "a program is asked for its version")]

use std::{
    ffi::OsStr,
    io::Read as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use semver::Version;

use super::process;

/// How long a program has to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// The version that a command prints; `None` where there is no such program, or it does not say.
#[must_use]
pub fn version(command: &[String]) -> Option<Version> {
    said(command, &std::env::var_os("PATH").unwrap_or_default())
}

fn said(command: &[String], path: &OsStr) -> Option<Version> {
    let (program, arguments) = command.split_first()?;
    let mut asked = Command::new(process::find(program, path)?);
    // From the root folder, so that nothing of the project decides which version it is.
    asked.args(arguments).current_dir("/").env_clear().envs(process::environment(std::env::vars_os(), false));
    let mut child = asked.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= deadline {
            _ = child.kill();
            _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let mut text = String::new();
    child.stdout.take()?.take(1024).read_to_string(&mut text).ok()?;
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    Version::parse(digits.split_whitespace().next()?).ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_version_is_read_from_what_a_program_says() {
        let folder = tempfile::tempdir().unwrap();
        for (says, expected) in [("v20.20.2", Some(Version::new(20, 20, 2))), ("none", None), ("1.2", None)] {
            let program = folder.path().join("lang");
            fs::write(&program, format!("#!/bin/sh\necho {says}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(said(&["lang".to_owned()], folder.path().as_os_str()), expected, "{says}");
        }
        assert_eq!(said(&["missing".to_owned()], folder.path().as_os_str()), None);
    }
}

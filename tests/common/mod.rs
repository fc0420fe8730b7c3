//! What both test programs share: fixtures in temporary folders, the tool as a process, trees as values.

pub mod mutants;
pub mod options;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Fixtures in which `add` wires everything itself.
pub const SERVED: [&str; 11] = [
    "plain",
    "app-fn",
    "state-layers",
    "axum07",
    "workspace",
    "sqlx09",
    "sqlx08",
    "crlf",
    "mixed",
    "strict-lints",
    "served-in-lib",
];

/// Fixtures in which the place to wire is left to the user.
pub const BY_HAND: [&str; 2] = ["axum-server", "two-servers"];

/// Folders that tools make.
const BUILT: [&str; 5] = ["target", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache"];

/// A fixture's copy in a temporary folder.
pub struct Project {
    _temp: tempfile::TempDir,
    pub dir: PathBuf,
}

pub fn fixture(name: &str) -> Project {
    of_stack("axum", name)
}

pub fn of_stack(stack: &str, name: &str) -> Project {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(stack).join(name);
    let project = empty(name);
    copy(&source, &project.dir);
    project
}

/// An empty folder with a name of its own.
pub fn empty(name: &str) -> Project {
    empty_in(tempfile::tempdir().unwrap(), name)
}

/// The same where the system keeps files in memory, if it does: a test that writes much need not wait for a disk.
pub fn in_memory(name: &str) -> Project {
    empty_in(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap(), name)
}

fn empty_in(temp: tempfile::TempDir, name: &str) -> Project {
    let dir = temp.path().join(name);
    fs::create_dir(&dir).unwrap();
    Project { _temp: temp, dir }
}

pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if !BUILT.contains(&entry.file_name().to_str().unwrap_or_default()) {
                fs::create_dir_all(&target).unwrap();
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Every file below a folder with its bytes, and every folder; the build's output left out.
pub fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    walk(dir, dir, &mut files);
    files
}

fn walk(root: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !path.is_symlink() {
            if name != ".git" && !path.file_name().is_some_and(|name| BUILT.iter().any(|built| name == *built)) {
                files.insert(format!("{name}/"), vec![]);
                walk(root, &path, files);
            }
        } else {
            files.insert(name, fs::read(&path).unwrap_or_default());
        }
    }
}

/// Everything below a folder, the journal too: mode, and bytes or where a link leads.
pub type State = BTreeMap<String, (u32, Vec<u8>)>;

pub fn state(dir: &Path) -> State {
    let (mut found, mut folders) = (State::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else if meta.is_dir() {
                folders.push(path.clone());
                vec![]
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned(), (meta.mode(), bytes));
        }
    }
    found
}

/// The tree without what depends on the registry and the machine.
pub fn planned(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let derived = |name: &String| {
        name.ends_with("Cargo.lock")
            || name.ends_with("uv.lock")
            || name.ends_with("package-lock.json")
            || name.ends_with(".authwright/proof.toml")
    };
    tree(dir).into_iter().filter(|(name, _)| !derived(name)).collect()
}

/// The tool, in a folder, with nobody at the terminal.
pub fn tool(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authwright"));
    command.current_dir(dir).args(args).stdin(Stdio::null());
    command
}

/// What a run of the tool did.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn run(dir: &Path, args: &[&str]) -> Run {
    finished(&tool(dir, args).output().unwrap())
}

pub fn finished(output: &Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

impl Run {
    /// The run, if it ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The one object on stdout.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

pub fn read(dir: &Path, path: &str) -> String {
    fs::read_to_string(dir.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// In lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Changes a file by replacing text that is in it.
#[track_caller]
pub fn replace(dir: &Path, path: &str, from: &str, to: &str) {
    let text = read(dir, path);
    assert!(text.contains(from), "{path} has no {from:?}");
    fs::write(dir.join(path), text.replacen(from, to, 1)).unwrap();
}

/// Runs a program that must succeed.
#[track_caller]
pub fn must(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    output
}

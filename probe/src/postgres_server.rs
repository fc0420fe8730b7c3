//! The PostgreSQL server that databases are made on: one of this run alone, on loopback, in a folder that goes with it, or one
//! that is there.

use std::{
    collections::BTreeMap,
    os::unix::fs::chown,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use url::Url;

use crate::{
    app::{Folder, free_port},
    random,
};

const START: Duration = Duration::from_mins(1);
const NOBODY: u32 = 65_534;
/// The server ends when its input does, so also if this process is killed.
const SCRIPT: &str = r#"umask 077; cd "$1" || exit 1
"$2/initdb" -D data -U auth -A trust -N -E UTF8 --no-locale >log 2>&1 || exit 1
"$2/postgres" -D data -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=300 >log 2>&1 &
read -r end; kill -QUIT $!; wait $!"#;

pub struct Server {
    /// With a database that is always there.
    url: Url,
    /// What the names of this run's databases begin with.
    prefix: String,
    databases: AtomicUsize,
    /// None if the server is another's.
    own: Option<(Child, Folder)>,
}

impl Server {
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = Folder::new()?;
        let port = free_port()?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(folder.path()).arg(programs).arg(port.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // PostgreSQL refuses to run as root.
        if rustix::process::getuid().is_root() {
            use std::os::unix::process::CommandExt as _;
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).context("cannot give PostgreSQL its folder")?;
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command.spawn().context("cannot start PostgreSQL")?;
        let url = Url::parse(&format!("postgres://auth@127.0.0.1:{port}/postgres"))?;
        let server =
            Self { url, prefix: "probe".to_owned(), databases: AtomicUsize::new(0), own: Some((child, folder)) };
        let deadline = Instant::now() + START;
        while server.client().is_err() {
            if Instant::now() >= deadline {
                bail!("PostgreSQL did not start within {} s", START.as_secs());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// A server that is there, by the URL of a database on it whose user may make others.
    ///
    /// # Errors
    /// When nobody answers there, or the user may not sign in.
    pub fn at(url: &Url) -> Result<Self> {
        let url = url.clone();
        let server =
            Self { url, prefix: format!("probe_{}", random::letters(8)), databases: AtomicUsize::new(0), own: None };
        server.client()?;
        Ok(server)
    }

    fn client(&self) -> Result<postgres::Client> {
        Ok(postgres::Client::connect(self.url.as_str(), postgres::NoTls)?)
    }

    fn name(&self, number: usize) -> String {
        format!("{}_{number}", self.prefix)
    }

    /// The URL of a fresh database.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn database(&self) -> Result<String> {
        let name = self.name(self.databases.fetch_add(1, Ordering::Relaxed));
        self.client()?.batch_execute(&format!("CREATE DATABASE {name}"))?;
        let mut url = self.url.clone();
        url.set_path(&name);
        Ok(url.into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _folder)) = &mut self.own {
            drop(child.stdin.take());
            _ = child.wait();
        } else if let Ok(mut client) = self.client() {
            for number in 0..*self.databases.get_mut() {
                _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name(number)));
            }
        }
    }
}

/// Where the server's programs are; distributions keep them off the path.
fn programs() -> Result<PathBuf> {
    let variables: BTreeMap<_, _> = std::env::vars_os().collect();
    let path = variables.iter().find(|(name, _)| *name == "PATH").map(|(_, value)| value.clone()).unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|entry| entry.path().join("bin"));
    let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).chain(debian);
    folders.find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists()).context(
        "the server programs of PostgreSQL (`initdb`, `postgres`) were not found; install them, or give `--database`",
    )
}

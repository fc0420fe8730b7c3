//! A database for each test, and what the tests say to it in its own dialect.
[% if db == "postgres" %]
use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};

use super::*;

/// The server that tests use: the one of `AUTH_TEST_DATABASE_URL`, or one that ends with them.
static SERVER: LazyLock<Server> = LazyLock::new(Server::new);

struct Server {
    url: String,
    /// The server stops when the pipe to this process breaks.
    _process: Option<Child>,
}

impl Server {
    fn new() -> Self {
        match std::env::var("AUTH_TEST_DATABASE_URL") {
            Ok(url) => Self { url, _process: None },
            Err(_) => Self::start(),
        }
    }

    /// Another program may take the port before the server does.
    fn start() -> Self {
        let mut attempts = (0..3).map(|_| Self::attempt().expect("PostgreSQL can be run"));
        attempts.find_map(|server| server).expect("PostgreSQL starts")
    }

    /// Nothing if it is not ready in time.
    fn attempt() -> std::io::Result<Option<Self>> {
        let programs = programs().expect(
            "PostgreSQL's `initdb` and `postgres` are there: install them (Debian: postgresql), or \
             set AUTH_TEST_DATABASE_URL to a database that tests may make schemas in",
        );
        let folder = temporary_folder();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut process = Self::command(&programs, &folder, port)?.spawn()?;
        let secret = tokens::random::<16>();
        writeln!(process.stdin.as_mut().expect("a pipe"), "{secret}")?;
        let started = Instant::now();
        // The server listens before it answers, and says in this file when it does.
        let state = folder.join("data/postmaster.pid");
        while !std::fs::read_to_string(&state).is_ok_and(|state| state.contains("ready")) {
            if started.elapsed() > Duration::from_secs(30) {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let url = format!("postgres://auth:{secret}@127.0.0.1:{port}/postgres");
        Ok(Some(Self { url, _process: Some(process) }))
    }

    /// The shell reads the password, starts the server and waits until its input ends.
    fn command(programs: &Path, folder: &Path, port: u16) -> std::io::Result<Command> {
        const SCRIPT: &str = r#"
            read -r password && umask 077 && cd "$FOLDER" && echo "$password" >password || exit 1
            "$PROGRAMS/initdb" -D data -U auth -A password --pwfile=password -N -E UTF8 \
                --no-locale >log 2>&1 || { cat log >&2; exit 1; }
            "$PROGRAMS/postgres" -D data -p "$PORT" -c listen_addresses=127.0.0.1 \
                -c unix_socket_directories= -c max_connections=400 -c fsync=off \
                -c full_page_writes=off -c synchronous_commit=off >log 2>&1 &
            read -r end
            kill -QUIT $! && wait $!
            cd / && rm -rf "$FOLDER"
        "#;
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT])
            .env("FOLDER", folder)
            .env("PROGRAMS", programs)
            .env("PORT", port.to_string())
            .stdin(Stdio::piped());
        lower_rights(&mut command, folder)?;
        Ok(command)
    }
}

/// PostgreSQL refuses to run as root.
fn lower_rights(command: &mut Command, folder: &Path) -> std::io::Result<()> {
    use std::os::unix::{fs::{MetadataExt, chown}, process::CommandExt};
    const NOBODY: u32 = 65_534;
    if std::fs::metadata(folder)?.uid() == 0 {
        chown(folder, Some(NOBODY), Some(NOBODY))?;
        command.uid(NOBODY).gid(NOBODY);
    }
    Ok(())
}

/// The folder with the server's programs: on the path, or where distributions put the newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = |folder: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path().join("bin")).collect();
        found.sort();
        found.into_iter().rev()
    };
    std::env::split_paths(&path)
        .chain(versions("/usr/lib/postgresql"))
        .chain(versions("/usr").filter(|bin| bin.to_string_lossy().starts_with("/usr/pgsql-")))
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// A schema of its own, dropped with the test.
pub struct Place {
    schema: String,
    pub url: String,
}

impl Place {
    pub async fn new(_folder: &Path) -> Self {
        let random = tokens::hash(&tokens::random::<9>());
        let schema = random.iter().take(8).fold("auth_test_".to_owned(), |s, b| s + &format!("{b:02x}"));
        statement(format!("CREATE SCHEMA {schema}")).await.expect("a schema");
        let mark = if SERVER.url.contains('?') { '&' } else { '?' };
        let url = format!(
            "{}{mark}application_name={schema}&options[search_path]={schema}",
            SERVER.url
        );
        Self { schema, url }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // First the connections of the test's pool: one may still hold a lock.
        let drop = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = '{0}'; DROP SCHEMA {0} CASCADE",
            self.schema
        );
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(statement(drop)).map_err(std::io::Error::other)
        };
        // The test's own runtime cannot wait for itself.
        std::thread::scope(|scope| {
            let done = scope.spawn(run).join();
            assert!(std::thread::panicking() || matches!(done, Ok(Ok(()))), "{done:?}");
        });
    }
}

async fn statement(sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(&SERVER.url).await?;
[%- if dep.sqlx.version == "0.8" %]
    sqlx::raw_sql(&sql).execute(&mut connection).await?;
[%- else %]
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
[%- endif %]
    connection.close().await
}

/// A setting that is accepted.
pub const EXAMPLE: &str = "postgres://app@127.0.0.1/app";
/// Settings that are refused.
pub const REFUSED: [&str; 5] = [
    "postgres://app@db.example.com/app?sslmode=require",
    "mysql://app@db.example.com/app",
    "postgres://app@db.example.com/app",
    "postgres://app@db.example.com/app?sslmode=prefer",
    "postgres://app:secret@127.0.0.1:port/app",
];

pub const BREAK_SESSIONS: &str =
    "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'x'; END $$;
     CREATE TRIGGER broken BEFORE DELETE ON auth_sessions FOR EACH ROW EXECUTE FUNCTION broken()";
pub const BREAK_AUDIT: &str =
    "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'x'; END $$;
     CREATE TRIGGER broken BEFORE INSERT ON auth_audit FOR EACH ROW EXECUTE FUNCTION broken()";
pub const MEND: &str = "DROP FUNCTION broken CASCADE";

/// Entries of a kind with everything that LOG-02 asks for.
pub const COMPLETE_EVENTS: &str = "SELECT count(*) FROM auth_audit
     WHERE event = $1 AND ip = '192.0.2.7' AND length(request_id) = 16
       AND abs(extract(epoch FROM at::timestamptz - now())) < 60 AND at LIKE '%Z'
       AND (user_id IS NOT NULL OR subject IS NOT NULL)";

/// All rows of all tables.
pub struct Dump(String);

impl Dump {
    pub async fn of(app: &App) -> Self {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT u::text FROM auth_users u UNION ALL SELECT s::text FROM auth_sessions s
             UNION ALL SELECT t::text FROM auth_tokens t UNION ALL SELECT c::text FROM auth_throttles c
             UNION ALL SELECT a::text FROM auth_audit a
[%- if module.tokens %]
             UNION ALL SELECT f::text FROM auth_token_families f
             UNION ALL SELECT r::text FROM auth_refresh_tokens r
[%- endif %]",
        )
        .fetch_all(app.auth.db().pool())
        .await
        .expect("rows");
        Self(rows.join("\n"))
    }

    /// As text or, decoded, as bytes.
    pub fn holds(&self, secret: &str) -> bool {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let raw = decoded(secret).is_some_and(|bytes| self.0.contains(&hex(&bytes)));
        raw || self.0.contains(secret) || self.0.contains(&hex(secret.as_bytes()))
    }
}
[% else %]
use std::path::Path;

use super::*;

/// A file in the test's folder.
pub struct Place {
    pub url: String,
}

impl Place {
    pub async fn new(folder: &Path) -> Self {
        Self { url: format!("sqlite://{}/app.db", folder.display()) }
    }
}

/// A setting that is accepted.
pub const EXAMPLE: &str = "sqlite:app.db";
/// Settings that are refused.
pub const REFUSED: [&str; 3] = ["postgres://app@127.0.0.1/app", "sqlite::memory:", "sqlite://app.db?mode=memory"];

pub const BREAK_SESSIONS: &str =
    "CREATE TRIGGER broken BEFORE DELETE ON auth_sessions BEGIN SELECT RAISE(ABORT, 'x'); END";
pub const BREAK_AUDIT: &str =
    "CREATE TRIGGER broken BEFORE INSERT ON auth_audit BEGIN SELECT RAISE(ABORT, 'x'); END";
pub const MEND: &str = "DROP TRIGGER broken";

/// Entries of a kind with everything that LOG-02 asks for.
pub const COMPLETE_EVENTS: &str = "SELECT count(*) FROM auth_audit
     WHERE event = $1 AND ip = '192.0.2.7' AND length(request_id) = 16
       AND abs(unixepoch(at) - unixepoch()) < 60 AND at LIKE '%Z'
       AND (user_id IS NOT NULL OR subject IS NOT NULL)";

/// The files of the database.
pub struct Dump(Vec<u8>);

impl Dump {
    pub async fn of(app: &App) -> Self {
        let read = |name| std::fs::read(app.folder.join(name)).unwrap_or_default();
        Self([read("app.db"), read("app.db-wal")].concat())
    }

    /// As text or, decoded, as bytes.
    pub fn holds(&self, secret: &str) -> bool {
        let has = |needle: &[u8]| self.0.windows(needle.len()).any(|window| window == needle);
        has(secret.as_bytes()) || decoded(secret).is_some_and(|bytes| has(&bytes))
    }
}
[% endif %]
/// The bytes behind a token or a cookie, if it is one.
fn decoded(secret: &str) -> Option<Vec<u8>> {
    use [= import.base64 =]::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
    (bytes.len() >= 16).then_some(bytes)
}

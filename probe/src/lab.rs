//! Where attacks are made: it starts the application with what a test asks for, or takes one that runs.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use regex::Regex;

use crate::{
    app::{End, Folder, Process, free_port, last_words, until_open},
    contract::{Contract, DbKind, Missing, Start},
    db::{Db, Place},
    jws,
    mail::Sink,
    postgres_server::Server,
    provider::{Authority, Provider},
    random,
    test::Outcome,
};

/// What browsers see. The application stands behind a proxy that ends TLS there.
pub const ORIGIN: &str = "https://app.test";
/// The name that the application is given; passwords made of it are refused.
pub const APP_NAME: &str = "acmeportal";
/// Where requests come from that go through the proxy.
pub const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What the attacks go against.
pub enum Target {
    /// A folder with the application, started from the contract.
    Folder(PathBuf),
    /// An application that runs, at an address that was checked.
    Running { address: SocketAddr, origin: String, smtp: Option<SocketAddr>, database: Option<String> },
}

/// What differs from the start that is usual: production, behind a trusted proxy, with shipped limits.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The probe's name of a setting to its value.
    pub settings: BTreeMap<String, String>,
    /// A variable to its value, or to `None` to leave it out.
    pub variables: BTreeMap<String, Option<String>>,
    /// No proxy is trusted.
    pub direct: bool,
    /// Started as in development.
    pub development: bool,
    /// Processes that share one database; the contract's number if not said.
    pub instances: Option<usize>,
    /// The address to listen on instead of 127.0.0.1.
    pub host: Option<IpAddr>,
    /// A folder to start in instead of the project's.
    pub folder: Option<PathBuf>,
    /// A database that is there instead of a fresh one.
    pub database: Option<Place>,
    /// What happens to the providers before the application starts.
    pub providers: Option<fn(&[Provider])>,
    /// Providers that are there instead of new ones.
    pub known: Option<Arc<[Provider]>>,
}

impl Setup {
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts are given alike")]
    pub fn set(mut self, setting: &str, value: impl ToString) -> Self {
        self.settings.insert(setting.to_owned(), value.to_string());
        self
    }

    #[must_use]
    pub fn variable(mut self, name: &str, value: Option<&str>) -> Self {
        self.variables.insert(name.to_owned(), value.map(ToOwned::to_owned));
        self
    }

    /// With the people of that application: its database, and the providers that they come from.
    ///
    /// # Errors
    /// When its database cannot be told.
    pub fn with_people_of(self, app: &App) -> Outcome<Self> {
        let database = Some(app.database()?.place().clone());
        Ok(Self { database, known: Some(app.providers.clone()), ..self })
    }

    #[must_use]
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }
}

/// An application that takes requests. It ends with the last value that holds it.
pub struct App {
    pub contract: Arc<Contract>,
    pub modules: Vec<String>,
    /// Those of the contract that can be pointed at the probe, in its order.
    pub providers: Arc<[Provider]>,
    pub origin: String,
    /// Settings and variables it was started with.
    pub variables: BTreeMap<String, String>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) direct: bool,
    processes: Mutex<Vec<Process>>,
    mail: Option<Sink>,
    db: Option<Db>,
    folder: Option<Folder>,
    pub(crate) sources: AtomicUsize,
    pub(crate) turns: AtomicUsize,
    pub(crate) interrupted: Arc<AtomicBool>,
}

/// How a start went that need not succeed.
pub enum Started {
    Up(Box<App>),
    /// It ended by itself.
    Ended {
        code: Option<i32>,
        output: String,
        took: Duration,
    },
    /// It neither ended nor took connections; it was ended.
    Silent {
        output: String,
    },
}

impl App {
    pub fn address(&self, instance: usize) -> SocketAddr {
        self.addresses[instance % self.addresses.len()]
    }

    pub fn instances(&self) -> usize {
        self.addresses.len()
    }

    /// The mails that the application sent.
    ///
    /// # Errors
    /// When the application runs elsewhere and sends its mail elsewhere.
    pub fn mail(&self) -> Result<&Sink> {
        self.mail
            .as_ref()
            .context("mails cannot be read: the application was not started by the probe, and `--smtp` was not given")
    }

    /// # Errors
    /// When the contract names no database, or it is not known where it is.
    pub fn db(&self) -> Result<&Db> {
        self.db
            .as_ref()
            .context("the database cannot be read: the contract has no `[db]`, or `--database` was not given")
    }

    /// What all instances have written to their outputs.
    ///
    /// # Errors
    /// When the application was not started by the probe.
    pub fn log(&self) -> Result<String> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        if processes.is_empty() {
            bail!("logs cannot be read: the application was not started by the probe");
        }
        Ok(processes.iter().map(Process::log).collect())
    }

    /// Why the application is no longer there, if it is not.
    pub fn death(&self) -> Option<String> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.iter().find_map(|process| {
            if process.has_flooded() {
                return Some("the application wrote more than 64 MiB to its output and was ended".to_owned());
            }
            let end = process.ended()?;
            Some(format!("the application ended ({end}); its last words:\n{}", process.last_words()))
        })
    }

    /// Bytes of memory that all instances take together; `None` where that cannot be seen.
    pub fn memory(&self) -> Option<u64> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Option<Vec<u64>> = processes.iter().map(Process::memory).collect();
        all.filter(|all| !all.is_empty()).map(|all| all.iter().sum())
    }

    /// How the first process of it that ended did so, after waiting for that as long.
    pub fn wait_for_end(&self, patience: Duration) -> Option<End> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.first()?.wait(patience)
    }

    /// A folder that lives as long as the application.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(Folder::path)
    }

    /// Ends all instances and starts them again, with the same database and variables.
    ///
    /// # Errors
    /// When it was not started by the probe, or does not come up.
    pub fn restart(&self, lab: &Lab) -> Result<()> {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        for process in processes.drain(..) {
            _ = process.stop();
        }
        let start = lab.start_table()?;
        for address in &self.addresses {
            let mut variables = self.variables.clone();
            variables.extend(listen(start, *address));
            let process =
                Process::start(&lab.filled(&start.command)?, lab.folder()?, &variables, &lab.contract.variables())?;
            if !until_open(&process, *address, start.readiness(), &self.interrupted)? {
                bail!("the application did not start again; its last words:\n{}", process.last_words());
            }
            processes.push(process);
        }
        Ok(())
    }
}

fn listen(start: &Start, address: SocketAddr) -> Vec<(String, String)> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let place = start.listen.format.replace("HOST", &host).replace("PORT", &port);
    let alone = start.listen.host.clone().map(|variable| (variable, host));
    std::iter::once((start.listen.env.clone(), place)).chain(alone).collect()
}

/// Shared by all tests of a run.
pub struct Lab {
    pub contract: Arc<Contract>,
    pub modules: Vec<String>,
    target: Target,
    interrupted: Arc<AtomicBool>,
    /// No mail is waited for longer than this, where it is said.
    pub mail_patience: Option<Duration>,
    shared: Mutex<Option<Arc<App>>>,
    server: OnceLock<Result<Server, String>>,
    authority: OnceLock<Result<Authority, String>>,
    program: OnceLock<String>,
}

impl Lab {
    pub fn new(contract: Contract, modules: Vec<String>, target: Target, interrupted: Arc<AtomicBool>) -> Self {
        Self {
            contract: Arc::new(contract),
            modules,
            target,
            interrupted,
            mail_patience: None,
            shared: Mutex::new(None),
            server: OnceLock::new(),
            authority: OnceLock::new(),
            program: OnceLock::new(),
        }
    }

    /// Databases are made on that server, and not on one of this run alone.
    #[must_use]
    pub fn on(self, server: Server) -> Self {
        Self { server: OnceLock::from(Ok(server)), ..self }
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether the probe starts the application, so that it owns its environment.
    pub fn starts(&self) -> bool {
        matches!(self.target, Target::Folder(_))
    }

    /// # Errors
    /// When the target is a URL.
    pub fn folder(&self) -> Result<&Path> {
        match &self.target {
            Target::Folder(folder) => Ok(folder),
            Target::Running { .. } => {
                bail!("the application runs elsewhere: its files and its start cannot be looked at")
            }
        }
    }

    /// # Errors
    /// When the contract does not say how to start the application.
    pub fn start_table(&self) -> Result<&Start> {
        Ok(self.contract.start.as_ref().ok_or_else(|| Missing("has no `[start]`".to_owned()))?)
    }

    /// Runs the contract's build, if it has one, and notes the program that it tells of.
    ///
    /// # Errors
    /// When it fails, takes more than half an hour, or does not tell of the program that the contract looks for.
    pub fn build(&self) -> Result<()> {
        let start = self.start_table()?;
        if start.build.is_empty() {
            return Ok(());
        }
        let said = self.built(start)?;
        if let Some(pattern) = &start.program {
            _ = self.program.set(program(&said, pattern)?);
        }
        Ok(())
    }

    fn built(&self, start: &Start) -> Result<String> {
        let process = Process::start(&start.build, self.folder()?, &BTreeMap::new(), &[])?;
        let step = Duration::from_millis(200);
        for _ in 0..(30 * 60 * 5) {
            if self.is_interrupted() {
                bail!("interrupted");
            }
            match process.wait(step) {
                Some(end) if end.code == Some(0) => return Ok(process.log()),
                Some(end) => bail!("`{}` failed ({end}):\n{}", start.build.join(" "), process.last_words()),
                None => {}
            }
        }
        bail!("`{}` did not end within 30 minutes", start.build.join(" "))
    }

    /// A command of the contract with its places filled.
    fn filled(&self, command: &[String]) -> Result<Vec<String>> {
        let project = std::path::absolute(self.folder()?)?.display().to_string();
        let fill = |word: &String| {
            let word = word.replace("{project}", &project);
            if !word.contains("{program}") {
                return Ok(word);
            }
            let program =
                self.program.get().context("the contract starts the `{program}` that its build tells of: build it")?;
            Ok(word.replace("{program}", program))
        };
        command.iter().map(fill).collect()
    }

    /// The application as it is usually started; all tests that do not ask for more share it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn app(&self) -> Result<Arc<App>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = &*shared {
            return Ok(app.clone());
        }
        let app = Arc::new(match &self.target {
            Target::Folder(_) => self.boot(&Setup::default())?,
            Target::Running { address, origin, smtp, database } => {
                self.running(*address, origin, *smtp, database.as_ref())?
            }
        });
        *shared = Some(app.clone());
        Ok(app)
    }

    fn running(
        &self,
        address: SocketAddr,
        origin: &str,
        smtp: Option<SocketAddr>,
        database: Option<&String>,
    ) -> Result<App> {
        let db = database.zip(self.contract.db.as_ref()).map(|(database, names)| {
            let place = match names.kind {
                DbKind::Sqlite => Place::Sqlite(PathBuf::from(database.trim_start_matches("sqlite://"))),
                DbKind::Postgres => Place::Postgres(database.clone()),
            };
            Db::new(place, names.clone())
        });
        Ok(App {
            contract: self.contract.clone(),
            modules: self.modules.clone(),
            providers: Arc::default(),
            origin: origin.to_owned(),
            variables: BTreeMap::new(),
            addresses: vec![address],
            direct: true,
            processes: Mutex::new(vec![]),
            mail: smtp.map(|address| self.sink(address)).transpose()?,
            db,
            folder: None,
            sources: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
            interrupted: self.interrupted.clone(),
        })
    }

    fn sink(&self, address: SocketAddr) -> Result<Sink> {
        let sink = Sink::start(address)?;
        if let Some(most) = self.mail_patience {
            sink.limit_patience(most);
        }
        Ok(sink)
    }

    /// An application of its own, with a fresh database, that must come up.
    ///
    /// # Errors
    /// When it does not, with what it said.
    pub fn boot(&self, setup: &Setup) -> Result<App> {
        match self.start(setup)? {
            Started::Up(app) => Ok(*app),
            Started::Ended { code, output, .. } => {
                let code = code.map_or("by a signal".to_owned(), |code| format!("with exit code {code}"));
                Err(anyhow!("the application did not start: it ended {code}; its last words:\n{}", last_words(&output)))
            }
            Started::Silent { output } => {
                let seconds = self.start_table()?.seconds;
                Err(anyhow!(
                    "the application took no connection within {seconds} s; its last words:\n{}",
                    last_words(&output)
                ))
            }
        }
    }

    /// Starts the application, whatever comes of it.
    ///
    /// # Errors
    /// When it cannot be tried: a missing program, a setting without name in the contract.
    pub fn start(&self, setup: &Setup) -> Result<Started> {
        let start = self.start_table()?;
        let mail = self.sink(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let folder = Folder::new()?;
        let db = self.database(setup, folder.path())?;
        let ports =
            (0..setup.instances.unwrap_or(start.instances).max(1)).map(|_| free_port()).collect::<Result<Vec<_>>>()?;
        let addresses: Vec<SocketAddr> =
            ports.into_iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).collect();
        let providers = setup.known.clone().map_or_else(|| self.providers(), Ok)?;
        if let Some(arrange) = setup.providers {
            arrange(&providers);
        }
        let variables = self.variables(setup, start, (&mail, db.as_ref(), &providers))?;
        let origin = setting_of(&variables, start, "base_url").unwrap_or_else(|| ORIGIN.to_owned());
        let command = self.filled(&start.command)?;
        let cwd = setup.folder.as_deref().map_or_else(|| self.folder(), Ok)?;
        let mut processes = vec![];
        for address in &addresses {
            let mut variables = variables.clone();
            variables.extend(listen(start, SocketAddr::new(setup.host.unwrap_or(address.ip()), address.port())));
            let began = std::time::Instant::now();
            let process = Process::start(&command, cwd, &variables, &self.contract.variables())?;
            match until_open(&process, *address, start.readiness(), &self.interrupted) {
                Ok(true) => processes.push(process),
                Ok(false) => {
                    let took = began.elapsed();
                    let code = process.ended().and_then(|end| end.code);
                    return Ok(Started::Ended { code, output: process.log(), took });
                }
                Err(_) => return Ok(Started::Silent { output: process.log() }),
            }
        }
        Ok(Started::Up(Box::new(App {
            contract: self.contract.clone(),
            modules: self.modules.clone(),
            providers,
            origin,
            variables,
            addresses,
            direct: setup.direct,
            processes: Mutex::new(processes),
            mail: Some(mail),
            db,
            folder: Some(folder),
            sources: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
            interrupted: self.interrupted.clone(),
        })))
    }

    fn database(&self, setup: &Setup, folder: &Path) -> Result<Option<Db>> {
        let Some(names) = &self.contract.db else { return Ok(None) };
        let place = match (&setup.database, names.kind) {
            (Some(place), _) => place.clone(),
            (None, DbKind::Sqlite) => Place::Sqlite(folder.join("app.db")),
            (None, DbKind::Postgres) => Place::Postgres(self.server()?.database()?),
        };
        Ok(Some(Db::new(place, names.clone())))
    }

    fn server(&self) -> Result<&Server> {
        let server = self.server.get_or_init(|| Server::start().map_err(|error| format!("{error:#}")));
        server.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// What the application is started with: the usual, then what the test asks for.
    fn variables(
        &self,
        setup: &Setup,
        start: &Start,
        (mail, db, providers): (&Sink, Option<&Db>, &[Provider]),
    ) -> Result<BTreeMap<String, String>> {
        let mut settings = BTreeMap::from([
            ("app_name", APP_NAME.to_owned()),
            ("base_url", ORIGIN.to_owned()),
            ("mail_from", "Acme <no-reply@app.test>".to_owned()),
            ("secret", random::secret()),
            ("smtp_url", format!("smtp://{}", mail.address())),
        ]);
        if !setup.direct {
            settings.insert("trusted_proxies", PROXY.to_string());
        }
        if let Some(db) = db {
            settings.insert("database_url", self.database_url(db));
        }
        if let Some(tokens) = &self.contract.tokens {
            settings.insert("token_key", jws::written(tokens.key, &jws::pkcs8(tokens.alg)?));
        }
        if !self.contract.providers.is_empty() {
            settings.insert("provider_ca", self.authority()?.file().display().to_string());
        }
        let known = |name: &str| start.environment.get(name).cloned();
        let usual = settings.into_iter().filter_map(|(name, value)| Some((known(name)?, value)));
        let mut variables: BTreeMap<String, String> = start.variables.clone().into_iter().chain(usual).collect();
        variables.extend(self.clients(providers));
        for (name, value) in &setup.settings {
            let variable = known(name).ok_or_else(|| Missing(format!("names no variable for the setting `{name}`")))?;
            variables.insert(variable, value.clone());
        }
        if setup.development {
            variables.extend(start.development.clone());
        }
        for (name, value) in &setup.variables {
            match value {
                Some(value) => _ = variables.insert(name.clone(), value.clone()),
                None => _ = variables.remove(name),
            }
        }
        Ok(variables)
    }

    /// Who certifies the providers.
    ///
    /// # Errors
    /// When keys or its file cannot be made.
    pub fn authority(&self) -> Result<&Authority> {
        let authority = self.authority.get_or_init(|| Authority::new().map_err(|error| format!("{error:#}")));
        authority.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// Those that say when somebody signed in come first: more can be asked of them.
    fn providers(&self) -> Result<Arc<[Provider]>> {
        let mut ours: Vec<_> = self.contract.providers.iter().filter(|names| names.issuer.is_some()).collect();
        ours.sort_by_key(|names| names.max_age.is_none());
        ours.into_iter().map(|names| Provider::start(&names.id, self.authority()?)).collect()
    }

    /// What the application is told of providers, and of those that are not the probe's.
    fn clients(&self, providers: &[Provider]) -> Vec<(String, String)> {
        let mut variables = vec![];
        for names in &self.contract.providers {
            let ours = providers.iter().find(|provider| provider.id == names.id);
            let client = ours.map(|provider| (provider.client_id.clone(), provider.client_secret.clone()));
            let (id, secret) = client.unwrap_or_else(|| (random::letters(20), random::letters(40)));
            variables.extend([(names.client_id.clone(), id), (names.client_secret.clone(), secret)]);
            variables.extend(names.issuer.clone().zip(ours.map(Provider::issuer)));
        }
        variables
    }

    fn database_url(&self, db: &Db) -> String {
        let format = self.contract.db.as_ref().and_then(|db| db.format.as_deref());
        match db.place() {
            Place::Sqlite(path) => format.unwrap_or("sqlite://{path}").replace("{path}", &path.display().to_string()),
            Place::Postgres(url) => format.unwrap_or("{url}").replace("{url}", url),
        }
    }

    /// Runs the operator's command for a user, with the application's variables. Gives whether it succeeded and its output.
    ///
    /// # Errors
    /// When the contract has no such command, or it does not end within a minute.
    pub fn operator(&self, app: &App, name: &str, user: &str) -> Result<(bool, String)> {
        let command = self.contract.operator.get(name).ok_or_else(|| Missing(format!("has no `operator.{name}`")))?;
        let command: Vec<String> = self.filled(command)?.iter().map(|word| word.replace("{user}", user)).collect();
        let start = self.start_table()?;
        let mut variables = app.variables.clone();
        variables.extend(listen(start, SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?))));
        let process = Process::start(&command, self.folder()?, &variables, &self.contract.variables())?;
        let end = process.wait(Duration::from_mins(1)).context("the operator's command did not end within 60 s")?;
        Ok((end.code == Some(0), process.log()))
    }
}

/// The one program that the build's output tells of.
fn program(said: &str, pattern: &str) -> Result<String> {
    let pattern = Regex::new(pattern).context("the contract's `start.program` is no pattern")?;
    let mut found: Vec<&str> = pattern.captures_iter(said).filter_map(|found| Some(found.get(1)?.as_str())).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => bail!("the contract's `start.program` finds no program in what the build says"),
        several => {
            bail!("the contract's `start.program` finds several programs: {}; make it fit one", several.join(", "))
        }
    }
}

fn setting_of(variables: &BTreeMap<String, String>, start: &Start, setting: &str) -> Option<String> {
    variables.get(start.environment.get(setting)?).cloned()
}

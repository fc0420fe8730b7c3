//! `authwright probe`
#![expect(clippy::disallowed_methods, reason = "a contract is the user's file, wherever it lies")]

mod show;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use authwright_probe::{
    asvs,
    catalogue::{self, Control},
    contract::{Contract, DbKind},
    lab::{self, Lab},
    postgres_server::Server,
    report::{Report, Verdict},
    run,
};
use url::{Host, Url};

use super::{
    Context,
    found::{self, Found},
    select::Select,
    target::{self, Target},
};
use crate::{
    cli::Where,
    core::{audit, generated, lock::Lock, problem::Problem, project::RelPath},
    shell::apply,
};

/// The contract's name among the files that a pack generates.
const CONTRACT: &str = "contract.toml";

/// Attack the app, and tell which protections hold; exit 1 if one does not
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app's folder, to start it from its contract; or the URL of one that runs
    #[arg(default_value = ".", value_name = "DIR|URL")]
    pub target: String,
    /// The app, if the folder holds several
    #[arg(long, value_name = "APP")]
    pub path: Option<String>,
    /// The app's contract; the one that was generated, if not given
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    #[command(flatten)]
    pub select: Select,
    /// Make each attack so many times; all must pass
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeat: u16,
    /// Attacks at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub workers: u8,
    /// Start what was built before, without building again
    #[arg(long)]
    pub no_build: bool,
    /// Begin no attack after so many minutes
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1440))]
    pub minutes: u16,
    /// Do not write what was found to `.authwright/probe.toml`
    #[arg(long)]
    pub no_record: bool,
    /// Attack this host, although it is not this machine; name it as in the URL
    #[arg(long, value_name = "HOST")]
    pub allow_host: Option<String>,
    /// Take mail here from an app that runs; the app must send it there
    #[arg(long, value_name = "HOST:PORT", value_parser = here)]
    pub smtp: Option<SocketAddr>,
    /// The database of an app that runs, one made for tests: attacks change its rows; for a folder, the database server to make
    /// databases on
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// An address to listen on; the name `localhost` is not looked up.
fn here(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("{}:{port}", Ipv4Addr::LOCALHOST));
    numeric
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| "give an address and a port, as in 127.0.0.1:2525".to_owned())
}

/// What is attacked, and what is known of it besides.
struct Goal {
    lab: Lab,
    /// Controls that are known not to hold, with the reason.
    deviations: Vec<(String, String)>,
    record: Option<Record>,
}

/// Where the result is kept: beside the lock of what is attacked.
struct Record {
    target: Target,
    lock: Lock,
    other_contract: bool,
}

/// Gives the exit code: 0, or 1 when a control does not hold.
///
/// # Errors
/// When the target is not this machine, there is no contract, or the app does not build or start.
pub fn run(context: &Context, args: &Args) -> Result<u8> {
    // Before anything is read or looked up.
    let chosen = args.select.controls()?;
    let running = args.target.contains("://").then(|| url(args)).transpose()?;
    let goal = match running {
        Some((url, host)) => remote(context, args, &url, &host)?,
        None => local(context, args)?,
    };
    let lab = &goal.lab;
    if lab.starts() && !args.no_build {
        context.ui.say("building the app");
        lab.build().map_err(|error| stopped(context, &error))?;
    }
    let options = options(args, &goal, &chosen);
    let report = run::run(lab, &options, &args.target, &|finding| show::tell(context, finding))
        .map_err(|error| stopped(context, &error))?;
    if context.interrupt.is_set() {
        return Err(interrupted());
    }
    let coverage = asvs::coverage(&report.controls, &report.modules)?;
    if context.ui.json {
        context.ui.object(show::object(&report, &coverage))?;
    } else {
        show::report(context, &report, args.select.is_empty().then_some(&coverage));
    }
    if let Some(place) = &goal.record {
        record(context, place, &report)?;
    }
    let unproven = report.count(Verdict::Fail) > 0
        || (report.count(Verdict::NotRun) > 0 && (lab.starts() || report.count(Verdict::Pass) == 0));
    Ok(u8::from(unproven))
}

fn interrupted() -> anyhow::Error {
    Problem::interrupted("interrupted", "run the command again; nothing of it is left running").into()
}

fn stopped(context: &Context, error: &anyhow::Error) -> anyhow::Error {
    if context.interrupt.is_set() {
        return interrupted();
    }
    let fix = "start the app by hand with the contract's `[start]`, mend what it says, then run the command again";
    Problem::problem(format!("{error:#}"), fix).into()
}

/// Keeps what was found beside the lock. A folder that cannot be written takes nothing from the result.
fn record(context: &Context, place: &Record, report: &Report) -> Result<()> {
    let target = &place.target;
    let state = found::state(&target.tree, &place.lock);
    let mut found = Found::new(&state, &report.controls, Found::read(&target.tree).unwrap_or_default())?;
    found.other_contract |= place.other_contract;
    if let Err(error) = apply::apply(&target.base, &[found.change(target)?]) {
        context.ui.warn(&format!("the result was not kept: {error:#}; `--no-record` does not try"));
    }
    Ok(())
}

/// Of a group or a severity, what no module needs is left out; what was named by id is told of in any case.
fn options(args: &Args, goal: &Goal, chosen: &[&Control]) -> run::Options {
    let named = |control: &Control| args.select.only.iter().any(|id| control.id.eq_ignore_ascii_case(id));
    let ids = |wanted: &dyn Fn(&Control) -> bool| {
        chosen.iter().filter(|control| wanted(control)).map(|control| control.id.clone()).collect::<Vec<_>>()
    };
    let mut only = ids(&|control| named(control) || catalogue::applies(control, &goal.lab.modules));
    if only.is_empty() {
        only = ids(&|_| true);
    }
    run::Options {
        only,
        workers: args.workers.into(),
        repeat: args.repeat.into(),
        limit: Duration::from_mins(args.minutes.into()),
        deviations: goal.deviations.clone(),
        ..run::Options::default()
    }
}

/// The URL, if its host is this machine or was named by the user. Nothing is looked up.
fn url(args: &Args) -> Result<(Url, Host<String>)> {
    let text = &args.target;
    let url = Url::parse(text).map_err(|error| {
        Problem::usage(format!("`{text}` is no URL: {error}"), "give one such as http://127.0.0.1:3000")
    })?;
    let host = url.host().map(|host| host.to_owned()).filter(|_| url.scheme() == "http").ok_or_else(|| {
        let fix = "give the http:// address that the app itself listens on, behind the proxy that ends TLS";
        Problem::usage(format!("`{text}` is no http:// address"), fix)
    })?;
    // As the URL's host is read: by case, brackets and spellings of an address they do not differ.
    let allowed = args.allow_host.as_deref().and_then(allowed_host).is_some_and(|allowed| allowed == host);
    if !is_this_machine(&host) && !allowed {
        let what = format!("`{host}` is not this machine, and attacks on others need their owner's consent");
        return Err(Problem::usage(what, format!("if it is yours to attack, add `--allow-host {host}`")).into());
    }
    Ok((url, host))
}

/// An IPv6 address may come without its brackets.
fn allowed_host(text: &str) -> Option<Host<String>> {
    Host::parse(text).or_else(|_| Host::parse(&format!("[{text}]"))).ok()
}

/// By the address itself, or the one name that stands for it. No other name is: it could lead anywhere.
fn is_this_machine(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_ipv4_mapped().map_or(address.is_loopback(), |address| address.is_loopback()),
        Host::Domain(name) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

fn remote(context: &Context, args: &Args, url: &Url, host: &Host<String>) -> Result<Goal> {
    let file = args.contract.as_ref().ok_or_else(|| {
        Problem::usage(
            "an app that runs needs its contract",
            "add `--contract FILE`; probe/CONTRACT.md says how to write one",
        )
    })?;
    let contract = read(file)?;
    let port = url.port_or_known_default().unwrap_or(80);
    let address = match host {
        Host::Ipv4(address) => SocketAddr::new(IpAddr::V4(*address), port),
        Host::Ipv6(address) => SocketAddr::new(IpAddr::V6(*address), port),
        // Not looked up: whatever a file says about that name, it is this machine.
        Host::Domain(_) if is_this_machine(host) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        Host::Domain(name) => {
            let found = (name.as_str(), port).to_socket_addrs().ok().and_then(|mut all| all.next());
            found.ok_or_else(|| Problem::problem(format!("`{name}` has no address"), "check the name"))?
        }
    };
    let origin = url.origin().ascii_serialization();
    let target = lab::Target::Running { address, origin, smtp: args.smtp, database: args.database.clone() };
    foreign(context, contract, file, target)
}

/// An app of which only its contract is known.
fn foreign(context: &Context, contract: Contract, file: &Path, target: lab::Target) -> Result<Goal> {
    if contract.modules.is_empty() {
        let what = format!("{}: there is no `modules`, so it is not known which controls apply", file.display());
        return Err(Problem::problem(what, "add `modules = [\"password\"]`").into());
    }
    let modules = contract.modules.clone();
    let deviations = contract.deviations.clone().into_iter().collect();
    let lab = Lab::new(contract, modules, target, context.interrupt.shared());
    Ok(Goal { lab, deviations, record: None })
}

fn local(context: &Context, args: &Args) -> Result<Goal> {
    let of_urls = [("--allow-host", args.allow_host.is_some()), ("--smtp", args.smtp.is_some())];
    if let Some((flag, _)) = of_urls.into_iter().find(|(_, given)| *given) {
        let what = format!("`{flag}` is for an app that runs, and `{}` is a folder", args.target);
        return Err(Problem::usage(what, "leave it out, or give the app's http:// address instead of a folder").into());
    }
    let dir = PathBuf::from(&args.target);
    if !dir.exists() && args.target.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        let what = format!("`{}` is no folder", args.target);
        return Err(Problem::usage(what, format!("for an app that runs there, give http://{}", args.target)).into());
    }
    let Some(file) = &args.contract else {
        return generated(context, args, &Where { dir, path: args.path.clone() });
    };
    let contract = read(file)?;
    let folder = std::path::absolute(&dir).with_context(|| format!("`{}` is no folder", dir.display()))?;
    if !folder.is_dir() {
        let what = format!("`{}` is no folder", folder.display());
        return Err(Problem::problem(what, "name the app's folder, or the URL of an app that runs").into());
    }
    let server = server(args, &contract)?;
    let goal = foreign(context, contract, file, lab::Target::Folder(folder))?;
    Ok(Goal { lab: on(goal.lab, server), ..goal })
}

/// The server that the app's databases are made on, if `--database` names one.
fn server(args: &Args, contract: &Contract) -> Result<Option<Server>> {
    let Some(given) = &args.database else { return Ok(None) };
    if !contract.db.as_ref().is_some_and(|db| db.kind == DbKind::Postgres) {
        let what = "`--database` names a PostgreSQL server, and the contract has no database there";
        return Err(Problem::usage(what, "leave it out: the app is given a database of its own").into());
    }
    let url = Url::parse(given).ok().filter(|url| ["postgres", "postgresql"].contains(&url.scheme()));
    // Not shown: there may be a password in it.
    let what = "what `--database` gives is no URL of a PostgreSQL server";
    let url =
        url.ok_or_else(|| Problem::usage(what, "give one such as postgres://USER:PASSWORD@127.0.0.1/postgres"))?;
    let server = Server::at(&url).map_err(|error| {
        let fix = "see that it runs there, and that its user may sign in from here and make databases";
        Problem::problem(format!("the server that `--database` names cannot be used: {error:#}"), fix)
    })?;
    Ok(Some(server))
}

fn on(lab: Lab, server: Option<Server>) -> Lab {
    match server {
        Some(server) => lab.on(server),
        None => lab,
    }
}

/// An app with a lock: the lock names the modules, its pack the deviations.
fn generated(context: &Context, args: &Args, place: &Where) -> Result<Goal> {
    let (target, lock) = target::locked(context, place)?;
    let files = generated::of_lock(&context.packs, &lock)?;
    let named = |name: &str| files.iter().find(|(path, _)| path.as_str().rsplit('/').next() == Some(name));
    let (contract, _) = named(CONTRACT)
        .ok_or_else(|| Problem::problem("what was generated here has no contract", "give it with `--contract FILE`"))?;
    let drifted =
        |(path, rendered): &&(RelPath, String)| target.tree.get(path).is_none_or(|now| now.as_rendered() != *rendered);
    for (path, _) in [named(CONTRACT), named(audit::NAME)].into_iter().flatten().filter(drifted) {
        context.ui.warn(&format!("`{path}` is not what was generated; `authwright verify` shows the difference"));
    }
    let other_contract = named(CONTRACT).as_ref().is_some_and(drifted);
    let deviations = audit::of(&files)?.map(|(_, audit)| audit.deviations).unwrap_or_default();
    let deviations: Vec<_> = deviations.into_iter().map(|found| (found.control, found.reason)).collect();
    for (id, reason) in &deviations {
        catalogue::may_deviate(id, reason)?;
    }
    let folder = std::path::absolute(target.disk()?.root())?;
    let contract = read(&folder.join(contract.as_str()))?;
    let modules: Vec<String> = lock.modules().into_iter().map(str::to_owned).collect();
    catalogue::known_modules(&modules)?;
    let server = server(args, &contract)?;
    let lab = on(Lab::new(contract, modules, lab::Target::Folder(folder), context.interrupt.shared()), server);
    let record = (!args.no_record).then_some(Record { target, lock, other_contract });
    Ok(Goal { lab, deviations, record })
}

fn read(file: &Path) -> Result<Contract> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Problem::problem(
            format!("`{}` cannot be read: {error}", file.display()),
            "give the contract with `--contract FILE`",
        )
    })?;
    Ok(Contract::parse(&text).map_err(|error| {
        let what = format!("{}: {error:#}", file.display());
        Problem::problem(what, "mend the contract; probe/CONTRACT.md says what it holds")
    })?)
}

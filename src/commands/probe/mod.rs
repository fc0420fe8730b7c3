//! `authwright probe`
#![expect(clippy::disallowed_methods, reason = "a contract is the user's file, wherever it lies")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use authwright_probe::{
    catalogue::Severity,
    contract::Contract,
    lab::{Lab, Target},
    report::{Finding, Report, Verdict},
    run,
};
use serde_json::json;
use url::{Host, Url};

use super::{Context, target};
use crate::{
    cli::Where,
    core::{lock::Lock, problem::Problem},
    shell::ui::{BAD, GOOD, WARN, paint, printable},
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
    /// Attack only these controls
    #[arg(long, value_name = "ID,..", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Attack only the controls of these groups, such as SES
    #[arg(long, value_name = "GROUP,..", value_delimiter = ',')]
    pub group: Vec<String>,
    /// Attack only controls of these severities
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub severity: Vec<String>,
    /// Make each attack so many times; all must pass
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: usize,
    /// Attacks at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub workers: u8,
    /// Start what was built before, without building again
    #[arg(long)]
    pub no_build: bool,
    /// Begin no attack after so many minutes
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub minutes: u64,
    /// Attack this host, although it is not this machine; name it as in the URL
    #[arg(long, value_name = "HOST")]
    pub allow_host: Option<String>,
    /// Take mail here from an app that runs; the app must send it there
    #[arg(long, value_name = "HOST:PORT")]
    pub smtp: Option<SocketAddr>,
    /// The database of an app that runs
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// Gives the exit code: 0, or 1 when a control does not hold.
///
/// # Errors
/// When the target is not this machine, there is no contract, or the app does not build or start.
pub fn run(context: &Context, args: &Args) -> Result<u8> {
    let options = options(args)?;
    // Before anything is read or looked up.
    let running = args.target.contains("://").then(|| url(args)).transpose()?;
    let (lab, named) = match running {
        Some((url, host)) => (remote(context, args, &url, &host)?, args.target.clone()),
        None => local(context, args)?,
    };
    if lab.starts() && !args.no_build {
        context.ui.say("building the app");
        lab.build().map_err(|error| stopped(context, &error))?;
    }
    let report = run::run(&lab, &options, &named, &|finding| tell(context, finding))
        .map_err(|error| stopped(context, &error))?;
    if context.interrupt.is_set() {
        return Err(Problem::interrupted("interrupted", "run the command again; nothing of it is left running").into());
    }
    if context.ui.json {
        context.ui.object(object(&report))?;
    } else {
        show(context, &report);
    }
    let unproven = report.count(Verdict::Fail) > 0 || (lab.starts() && report.count(Verdict::NotRun) > 0);
    Ok(u8::from(unproven))
}

fn stopped(context: &Context, error: &anyhow::Error) -> anyhow::Error {
    if context.interrupt.is_set() {
        return Problem::interrupted("interrupted", "run the command again; nothing of it is left running").into();
    }
    let fix = "start the app by hand with the contract's `[start]`, mend what it says, then run the command again";
    Problem::problem(format!("{error:#}"), fix).into()
}

fn options(args: &Args) -> Result<run::Options> {
    let severities = args.severity.iter().map(|name| severity(name)).collect::<Result<Vec<_>>>()?;
    let all = authwright_probe::catalogue::all()?;
    let mut only: Vec<String> = args.only.iter().map(|id| id.to_uppercase()).collect();
    for group in &args.group {
        let before = only.len();
        let members = all.iter().filter(|control| control.prefix().eq_ignore_ascii_case(group));
        only.extend(members.map(|control| control.id.clone()));
        if only.len() == before {
            let what = format!("`{group}` is no group of controls");
            return Err(Problem::usage(what, "name a group such as SES; `authwright controls` lists them").into());
        }
    }
    if !severities.is_empty() {
        let fits = |id: &str| all.iter().any(|control| control.id == id && severities.contains(&control.severity));
        if only.is_empty() {
            only = all.iter().map(|control| control.id.clone()).collect();
        }
        only.retain(|id| fits(id));
    }
    Ok(run::Options {
        only,
        workers: args.workers.into(),
        repeat: args.repeat,
        limit: std::time::Duration::from_secs(args.minutes * 60),
        ..run::Options::default()
    })
}

fn severity(name: &str) -> Result<Severity> {
    let found = Severity::ALL.into_iter().find(|severity| severity.name() == name);
    let problem = || Problem::usage(format!("`{name}` is no severity"), "use critical, high, medium or low");
    Ok(found.ok_or_else(problem)?)
}

/// The URL, if its host is this machine or was named by the user. Nothing is looked up.
fn url(args: &Args) -> Result<(Url, Host<String>)> {
    let text = &args.target;
    let url = Url::parse(text).map_err(|error| {
        Problem::usage(format!("`{text}` is no URL: {error}"), "give one such as http://127.0.0.1:3000")
    })?;
    let host = url.host().map(|host| host.to_owned()).filter(|_| url.scheme() == "http").ok_or_else(|| {
        let fix = "give the http:// address that the app listens on, without the proxy that ends TLS";
        Problem::usage(format!("`{text}` is no http:// address"), fix)
    })?;
    let allowed = args.allow_host.as_deref() == url.host_str();
    if !is_this_machine(&host) && !allowed {
        let what = format!("`{host}` is not this machine, and attacks on others need their owner's consent");
        return Err(Problem::usage(what, format!("if it is yours to attack, add `--allow-host {host}`")).into());
    }
    Ok((url, host))
}

/// By the address itself, or the one name that stands for it. No other name is: it could lead anywhere.
fn is_this_machine(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_ipv4_mapped().map_or(address.is_loopback(), |address| address.is_loopback()),
        Host::Domain(name) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

fn remote(context: &Context, args: &Args, url: &Url, host: &Host<String>) -> Result<Lab> {
    let file = args.contract.as_ref().ok_or_else(|| {
        Problem::usage("an app that runs needs its contract", "add `--contract FILE`; README says how to write one")
    })?;
    let contract = read(file)?;
    let modules = modules(&contract, file)?;
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
    let target = Target::Running { address, origin, smtp: args.smtp, database: args.database.clone() };
    Ok(Lab::new(contract, modules, target, context.interrupt.shared()))
}

fn local(context: &Context, args: &Args) -> Result<(Lab, String)> {
    let dir = PathBuf::from(&args.target);
    let (folder, file, locked) = match &args.contract {
        Some(file) => (dir.clone(), file.clone(), None),
        None => generated(context, &Where { dir: dir.clone(), path: args.path.clone() })?,
    };
    let contract = read(&file)?;
    let modules = match locked {
        Some(modules) => modules,
        None => modules(&contract, &file)?,
    };
    let folder = std::path::absolute(&folder).with_context(|| format!("`{}` is no folder", folder.display()))?;
    if !folder.is_dir() {
        let what = format!("`{}` is no folder", folder.display());
        return Err(Problem::problem(what, "name the app's folder, or the URL of an app that runs").into());
    }
    let lab = Lab::new(contract, modules, Target::Folder(folder), context.interrupt.shared());
    Ok((lab, args.target.clone()))
}

type Generated = (PathBuf, PathBuf, Option<Vec<String>>);

/// The app's folder, its contract, and the modules that its lock names.
fn generated(context: &Context, place: &Where) -> Result<Generated> {
    let (target, lock) = target::locked(context, place)?;
    let folder = target.disk()?.root().to_owned();
    let created = lock.layer.iter().flat_map(|layer| &layer.created);
    let mut contracts = created.filter(|file| file.path.as_str().rsplit('/').next() == Some(CONTRACT));
    let contract = contracts.next().ok_or_else(|| {
        let fix = "give it with `--contract FILE`";
        Problem::problem("what was generated here has no contract", fix)
    })?;
    let file = folder.join(contract.path.as_str());
    Ok((folder, file, Some(module_names(&lock))))
}

fn module_names(lock: &Lock) -> Vec<String> {
    lock.layer.iter().flat_map(|layer| layer.modules.clone()).collect()
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

/// Which controls apply to an app that has no lock.
fn modules(contract: &Contract, file: &Path) -> Result<Vec<String>> {
    if contract.modules.is_empty() {
        let what = format!("{}: there is no `modules`, so it is not known which controls apply", file.display());
        return Err(Problem::problem(what, "add `modules = [\"password\"]`").into());
    }
    Ok(contract.modules.clone())
}

fn tell(context: &Context, finding: &Finding) {
    if !context.ui.json {
        context.ui.say(&line(finding));
    }
}

fn line(finding: &Finding) -> String {
    let style = match finding.verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail => BAD,
        _ => WARN,
    };
    let verdict = paint(style, &format!("{:14}", finding.verdict.name()));
    let reason = finding.reason.lines().next().unwrap_or_default();
    let reason = if reason.is_empty() { String::new() } else { format!(": {}", printable(reason)) };
    format!("{verdict} {} {}{reason}", finding.id, finding.title)
}

fn show(context: &Context, report: &Report) {
    let ui = &context.ui;
    for finding in report.controls.iter().filter(|finding| finding.verdict == Verdict::Fail) {
        ui.say(&format!("\n{} {}: {}", paint(BAD, "fail"), finding.id, finding.title));
        for evidence in &finding.evidence {
            ui.say(&format!("  not so: {}", evidence.what));
            let seen = evidence.seen.lines().map(|line| format!("    {}", printable(line)));
            ui.say(&seen.collect::<Vec<_>>().join("\n"));
        }
    }
    let counts = Verdict::ALL.map(|verdict| format!("{} {}", report.count(verdict), verdict.name()));
    ui.say(&format!("\n{}", counts.join(" · ")));
}

fn object(report: &Report) -> serde_json::Value {
    let counts: serde_json::Map<_, _> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict.name().replace(' ', "-"), report.count(verdict).into()))
        .collect();
    json!({ "target": report.target, "modules": report.modules, "controls": report.controls, "summary": counts })
}

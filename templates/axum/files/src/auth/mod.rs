//! [% if module.password %]Password accounts[% else %]Accounts[% endif %] and server-side sessions[% if module.tokens %], and tokens for programs,[% endif %] for this application.
//!
//! `main` calls [`start`] with its listener and serves what [`Auth::attach`] returns. A handler
//! that takes a [`User`] answers only to a signed-in user. README.md beside this file has the rest.
//!
//! The folder is self-contained: it uses nothing of the application around it and keeps its state
//! in tables named `auth_*`. References such as `ASVS 6.2.1` point to OWASP ASVS 5.0.
#![allow(
    dead_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_imports,
    unused_results,
    clippy::pedantic,
    clippy::nursery,
    clippy::restriction,
    reason = "the application's own lint choices do not apply to this folder"
)]

[% if module.password -%]
mod accounts;
[% endif -%]
mod audit;
[%- if module.tokens %]
mod bearer;
[%- endif %]
mod cookies;
mod csrf;
mod db;
mod email;
[%- if module.password %]
mod email_change;
[%- endif %]
mod input;
[%- if ui == 'pages' or module.oidc %]
mod local_path;
[%- endif %]
[%- if module.password %]
mod mail;
[%- endif %]
[%- if module.oidc %]
mod oidc;
[%- endif %]
mod operator;
[%- if ui == 'pages' %]
mod pages;
[%- endif %]
[%- if module.password %]
mod password;
mod passwords;
[%- endif %]
mod personal;
mod problem;
mod routes;
mod sessions;
mod settings;
mod sign_in;
mod store;
mod throttle;
mod tokens;
mod user;
mod visit;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, process, sync::Arc};

use axum::{
    Router, extract::connect_info::IntoMakeServiceWithConnectInfo, [% if ui == 'pages' %]middleware::{from_fn, from_fn_with_state},[% else %]middleware::from_fn_with_state,[% endif %]
};
use tokio::net::TcpListener;
use [= import.tower_sessions =]::{SessionManagerLayer, cookie::SameSite};

[% if module.tokens -%]
pub use bearer::{Any, ApiUser, FreshApiUser, Read, Scope, Write};
[% endif -%]
pub use problem::Problem;
pub use settings::{Settings, StartError};
pub use user::{FreshUser, MaybeUser, User};

/// The running module: cheap to clone, shared by every request.
#[derive(Clone)]
pub struct Auth(Arc<Shared>);

struct Shared {
    settings: Settings,
    db: db::Db,
[%- if module.password %]
    hasher: passwords::Hasher,
[%- endif %]
    throttle: throttle::Throttle,
[%- if module.password %]
    mail: mail::Mail,
[%- endif %]
[%- if module.tokens %]
    access: bearer::Access,
[%- endif %]
[%- if module.oidc %]
    oidc: oidc::Oidc,
[%- endif %]
}

/// Reads the settings, opens and migrates the database[% if module.password %] and starts the mail queue[% endif %].
///
/// A problem is printed with what to do about it, and the process ends with exit code 1. Use
/// [`try_start`] to handle it yourself.
pub async fn start(listener: &TcpListener) -> Auth {
    or_exit(try_start(listener).await)
}

/// Like [`start`], for a server that has no such listener: with the address it is bound to.
pub async fn start_at(address: SocketAddr) -> Auth {
    or_exit(try_start_at(address).await)
}

/// Like [`start`], but returns the problem.
pub async fn try_start(listener: &TcpListener) -> Result<Auth, StartError> {
    try_start_at(listener.local_addr()?).await
}

/// Like [`start_at`], but returns the problem.
pub async fn try_start_at(address: SocketAddr) -> Result<Auth, StartError> {
[%- if module.tokens %]
    // Before the settings: it makes one of them.
    if operator::prints_token_key(std::env::args().skip(1)) {
        process::exit(0);
    }
[%- endif %]
    let settings = Settings::from_environment(address)?;
    let auth = Auth::open(settings).await?;
    if operator::run(&auth, std::env::args().skip(1)).await? {
        process::exit(0);
    }
    Ok(auth)
}

fn or_exit(started: Result<Auth, StartError>) -> Auth {
    started.unwrap_or_else(|error| {
        eprintln!("auth: {error}");
        process::exit(1)
    })
}

impl Auth {
    /// Starts the module with settings that were made elsewhere.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let db = db::Db::open(&settings.database_url).await?;
        let auth = Self(Arc::new(Shared {
[%- if module.password %]
            hasher: passwords::Hasher::new(settings.cost)?,
[%- endif %]
            throttle: throttle::Throttle::new(&settings.secret),
[%- if module.password %]
            mail: mail::Mail::start(&settings)?,
[%- endif %]
[%- if module.tokens %]
            access: bearer::Access::new(&settings),
[%- endif %]
[%- if module.oidc %]
            oidc: oidc::Oidc::new(&settings.oidc)?,
[%- endif %]
            db,
            settings,
        }));
        db::spawn_purge(auth.db());
        Ok(auth)
    }

    /// Adds the `/auth` routes and makes sessions available to every route of `app`.
    ///
    /// Served with the peer's address, which the throttles need.
    pub fn attach(self, app: Router) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
        self.layer(app)
            .into_make_service_with_connect_info::<SocketAddr>()
    }

    /// The layered router without the peer's address: for tests, together with axum's
    /// `MockConnectInfo`.
    pub fn layer(&self, app: Router) -> Router {
        let cookies = &self.settings().cookies;
[%- if profile == "consumer" %]
        // The server decides how long a session lives; `sign_in` gives the cookie the same end.
        // Cookie: ASVS 3.3.1 to 3.3.4.
[%- else %]
        // No Max-Age: the server decides how long a session lives. Cookie: ASVS 3.3.1 to 3.3.4.
[%- endif %]
        let sessions = SessionManagerLayer::new(store::Store::new(self))
            .with_name(cookies.session)
            .with_secure(cookies.secure)
            .with_http_only(true)
            .with_same_site(SameSite::Lax)
            .with_path("/");
        // The last layer is the outermost: it sees a request first.
        app.merge(routes::router())
[%- if ui == 'pages' %]
            .layer(from_fn(pages::present))
[%- endif %]
            .layer(from_fn_with_state(self.clone(), visit::enter))
            .layer(sessions)
            .layer(from_fn_with_state(self.clone(), cookies::strict))
    }
}

impl Auth {
    fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn db(&self) -> &db::Db {
        &self.0.db
    }
[%- if module.password %]

    fn hasher(&self) -> &passwords::Hasher {
        &self.0.hasher
    }
[%- endif %]

    fn throttle(&self) -> &throttle::Throttle {
        &self.0.throttle
    }
[%- if module.password %]

    fn mail(&self) -> &mail::Mail {
        &self.0.mail
    }
[%- endif %]
[%- if module.tokens %]

    fn access(&self) -> &bearer::Access {
        &self.0.access
    }
[%- endif %]
[%- if module.oidc %]

    fn oidc(&self) -> &oidc::Oidc {
        &self.0.oidc
    }
[%- endif %]
}

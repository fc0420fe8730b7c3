//! What is known about the request at hand: who asks from where, and with which session.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use [= import.ipnet =]::IpNet;
use [= import.tower_sessions =]::Session;

use super::{Auth, audit, cookies, csrf, [% if ui == 'pages' %]pages, [% endif %]problem::Problem, tokens, user::User};

/// Longer user agents are cut in the session list and the audit trail.
const MAX_AGENT: usize = 256;

/// One request. Lives in its extensions; cheap to clone.
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    auth: Auth,
    session: Session,
    ip: IpAddr,
    agent: Option<HeaderValue>,
    carries_session: bool,
[%- if module.password %]
    browser: Option<String>,
[%- endif %]
[%- if module.oidc %]
    transaction: Option<String>,
[%- endif %]
    request_id: OnceLock<String>,
    private: AtomicBool,
}

/// Middleware of every route: makes the visit known to extractors, and keeps what a guarded handler
/// answered out of caches (ASVS 14.3.2).
pub async fn enter(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let Some(visit) = Visit::new(auth, &request) else {
        return next.run(request).await;
    };
    request.extensions_mut().insert(visit.clone());
    let mut response = next.run(request).await;
    if visit.0.private.load(Ordering::Relaxed) {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

impl Visit {
    /// Without peer address or session layer there is no visit, and every guard refuses.
    fn new(auth: Auth, request: &Request) -> Option<Self> {
        let ConnectInfo(peer) = peer_of(request.extensions())?;
        let headers = request.headers();
        let settings = auth.settings();
[%- if module.password %]
        let browser = cookies::value(headers, settings.cookies.browser).map(str::to_owned);
[%- endif %]
[%- if module.oidc %]
        let transaction = cookies::value(headers, settings.cookies.transaction).map(str::to_owned);
[%- endif %]
        Some(Self(Arc::new(Inner {
            session: request.extensions().get::<Session>()?.clone(),
            ip: client_ip(peer.ip(), headers, &settings.trusted_proxies),
            agent: headers.get(header::USER_AGENT).cloned(),
            carries_session: cookies::value(headers, settings.cookies.session).is_some(),
[%- if module.password %]
            browser,
[%- endif %]
[%- if module.oidc %]
            transaction,
[%- endif %]
            request_id: OnceLock::new(),
            private: AtomicBool::new(false),
            auth,
        })))
    }

    pub fn of(extensions: &Extensions) -> Result<Self, Problem> {
        extensions.get().cloned().ok_or_else(|| {
            tracing::error!(target: "auth", "a guarded route is served without Auth::attach");
            Problem::unavailable()
        })
    }

    pub fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub fn session(&self) -> &Session {
        &self.0.session
    }

    pub fn ip(&self) -> IpAddr {
        self.0.ip
    }

    [% if module.password -%]
    /// The value of the cookie that REGISTER set in this browser.
    pub fn browser(&self) -> Option<&str> {
        self.0.browser.as_deref()
    }

    [% endif -%]
    [% if module.oidc -%]
    /// The value of the cookie of a sign-in at a provider that this browser began.
    pub fn transaction(&self) -> Option<&str> {
        self.0.transaction.as_deref()
    }

    [% endif -%]
    pub fn carries_session(&self) -> bool {
        self.0.carries_session
    }

    /// Printable ASCII only, so it cannot forge a log line (ASVS 16.4.1).
    pub fn agent(&self) -> &str {
        let agent = self.0.agent.as_ref().and_then(|value| value.to_str().ok());
        agent.map_or("", |agent| &agent[..agent.len().min(MAX_AGENT)])
    }

    pub fn request_id(&self) -> &str {
        self.0.request_id.get_or_init(tokens::random::<12>)
    }
[%- if module.tokens %]

    /// Keeps the answer out of caches: it is for one user.
    pub fn keep_private(&self) {
        self.0.private.store(true, Ordering::Relaxed);
    }
[%- endif %]

    /// The signed-in user, for a request that may act for them.
    pub async fn user(&self, method: &Method, headers: &HeaderMap) -> Result<User, Problem> {
        self.0.private.store(true, Ordering::Relaxed);
        self.refuse_foreign(method, headers).await?;
        User::from_session(&self.0.session)
            .await?
            .ok_or(Problem::not_signed_in())
    }

    pub async fn refuse_foreign(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let origin = &self.auth().settings().base_url;
[%- if module.password %]
        let carries_cookie = self.0.carries_session || self.0.browser.is_some();
[%- else %]
        let carries_cookie = self.0.carries_session || self.0.transaction.is_some();
[%- endif %]
[%- if ui == 'pages' %]
        // A form is a browser's: it says where it comes from, cookie or not.
        let must_tell = carries_cookie || pages::is_form(headers);
        match csrf::check(method, headers, origin, must_tell) {
[%- else %]
        match csrf::check(method, headers, origin, carries_cookie) {
[%- endif %]
            Ok(()) => Ok(()),
            Err(reason) => {
                audit::refusal(self, "csrf_refused", reason).await;
                Err(Problem::foreign_request())
            }
        }
    }
}

/// Set by `Auth::attach`; `MockConnectInfo` in an application's own tests.
fn peer_of(extensions: &Extensions) -> Option<ConnectInfo<SocketAddr>> {
    use axum::extract::connect_info::MockConnectInfo;
    let mock = || {
        let MockConnectInfo(peer) = extensions.get::<MockConnectInfo<SocketAddr>>()?;
        Some(ConnectInfo(*peer))
    };
    extensions.get().copied().or_else(mock)
}

/// The socket's peer, unless that is a configured proxy: then the nearest address in
/// X-Forwarded-For that is not one of ours, read from the right, where our proxies append
/// (ASVS 15.3.4). What is further left is the client's own claim.
fn client_ip(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_proxy = |ip: &IpAddr| proxies.iter().any(|net| net.contains(ip));
    if !is_proxy(&peer) {
        return peer;
    }
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| line.to_str().unwrap_or("unreadable"))
        .collect();
    lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .map(parse_ip)
        .find(|ip| !ip.is_some_and(|ip| is_proxy(&ip)))
        .flatten()
        .unwrap_or(peer)
}

/// An address, perhaps with a port, brackets or a zone.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| Some(rest.split_once(']')?.0))
        .unwrap_or(text);
    let bare = bare.split('%').next().unwrap_or(bare);
    let ip = bare
        .parse()
        .or_else(|_| bare.parse().map(|socket: SocketAddr| socket.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

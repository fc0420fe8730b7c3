//! A browser as far as attacks need one: a cookie jar, an address, and requests by role.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
};

use serde_json::{Map, Value};

use crate::{
    contract::{CsrfSource, Encoding, MailLink, Predicate, Role},
    http::{Answer, Request, exchange, exchange_bytes},
    lab::{App, PROXY},
    test::{Outcome, Stop},
};

/// Cookies as a server set them; nothing of what a browser would refuse is refused.
pub type Jar = BTreeMap<String, String>;

/// Roles of accounts with passwords. Without them a provider says whose an address is.
const OF_PASSWORDS: [&str; 13] = [
    "EMAIL_CHANGE",
    "EMAIL_CONFIRM",
    "EMAIL_CONFIRM_PAGE",
    "FORGOT",
    "LOGIN",
    "PWCHANGE",
    "REAUTH",
    "REGISTER",
    "RESEND",
    "RESET",
    "RESET_PAGE",
    "VERIFY",
    "VERIFY_PAGE",
];

/// Sends to one application. Each new client has an address and a jar of its own.
pub struct Client {
    pub app: Arc<App>,
    pub jar: Jar,
    /// The address that the application sees through its proxy; `None` sends no `X-Forwarded-For`.
    pub source: Option<String>,
    /// The address of this machine that connections come from.
    pub from: Option<IpAddr>,
    /// What it calls itself; `None` sends no `User-Agent`.
    pub agent: Option<String>,
    /// The one process to talk to; else they take turns.
    pub instance: Option<usize>,
}

/// A request of a role that is still being filled.
#[derive(Clone, Debug)]
pub struct Call {
    role: Arc<Role>,
    name: String,
    path: String,
    query: Vec<(String, String)>,
    fields: Map<String, Value>,
    encoding: Encoding,
    accept: Option<String>,
}

impl Call {
    /// A field, by the probe's name.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        let name = self.role.fields.get(name).map_or(name, String::as_str).to_owned();
        self.fields.insert(name, value.into());
        self
    }

    /// A parameter of the query, by the probe's name.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let name = self.role.query.get(name).map_or(name, String::as_str).to_owned();
        self.query.push((name, value.to_owned()));
        self
    }

    /// A `{name}` in the path.
    #[must_use]
    pub fn segment(mut self, name: &str, value: &str) -> Self {
        self.path = self.path.replace(&format!("{{{name}}}"), &encoded(value));
        self
    }

    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The role's name in the contract.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The fields by the application's names.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub fn is_safe(&self) -> bool {
        matches!(self.role.method.as_str(), "GET" | "HEAD")
    }

    /// The request with its body, and no header but the body's type.
    pub fn request(&self) -> Request {
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let target = if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) };
        let mut request = Request::new(&self.role.method, &target);
        request.role = Some(self.role.clone());
        if let Some(accept) = &self.accept {
            request = request.header("Accept", accept);
        }
        let is_bare = self.fields.is_empty() && self.role.fields.is_empty();
        // A browser declares a form that has no fields, too.
        if self.is_safe() || (is_bare && self.encoding == Encoding::Json) {
            return request;
        }
        match self.encoding {
            Encoding::Json => {
                request.header("Content-Type", "application/json").body(Value::Object(self.fields.clone()).to_string())
            }
            Encoding::Form => request.header("Content-Type", "application/x-www-form-urlencoded").body(self.form()),
        }
    }

    fn form(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let pairs: Vec<String> =
            self.fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(&text(value)))).collect();
        pairs.join("&")
    }
}

fn cookies(jar: &Jar) -> String {
    let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    cookies.join("; ")
}

/// Percent-encoded, with everything but unreserved characters.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

impl App {
    /// A client of an address that nobody had before, with an empty jar.
    pub fn client(self: &Arc<Self>) -> Client {
        let number = self.sources.fetch_add(1, Ordering::Relaxed) + 1;
        // Each in a network of its own: some limits count a whole /24.
        let [_, _, high, low] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let (source, from) = if self.direct {
            // Loopback is 127.0.0.0/8, so a client of its own is another address of it.
            let from = cfg!(target_os = "linux").then(|| IpAddr::from([127, 1 + high % 200, low, 9]));
            (None, from)
        } else {
            (Some(format!("10.{high}.{low}.7")), Some(PROXY))
        };
        Client { app: self.clone(), jar: Jar::new(), source, from, agent: None, instance: None }
    }

    /// A request of the role, to be filled.
    ///
    /// # Errors
    /// When the contract has no such role. That is a failure of the control: what it needs is not there. Where accounts have
    /// no passwords, what is about them is not applicable.
    pub fn role(&self, name: &str) -> Outcome<Call> {
        let role = self.contract.roles.get(name);
        if role.is_none() && !self.has_passwords() && OF_PASSWORDS.contains(&name) {
            return Err(Stop::NotApplicable(format!("there are no passwords, and so no role {name}")));
        }
        let role = role.ok_or_else(|| Stop::Missing(format!("the contract has no role {name}")))?;
        Ok(self.call_of(name, role))
    }

    fn call_of(&self, name: &str, role: &Role) -> Call {
        Call {
            role: Arc::new(role.clone()),
            name: name.to_owned(),
            path: role.path.clone(),
            query: vec![],
            fields: Map::new(),
            encoding: role.encoding.unwrap_or(self.contract.encoding),
            accept: None,
        }
    }

    /// Those of the roles that it should have: all, but for those of passwords where there are none.
    pub fn expected<'r>(&self, roles: &[&'r str]) -> Vec<&'r str> {
        let wanted = |role: &&&str| self.has_passwords() || !OF_PASSWORDS.contains(role);
        roles.iter().filter(wanted).copied().collect()
    }

    /// Whether there are pages to attack. That a contract has none is believed only where no form answers as a page.
    ///
    /// # Errors
    /// `NotApplicable` when the application has no pages; `Missing` when only its contract has none.
    pub fn has_pages(self: &Arc<Self>) -> Outcome {
        if self.contract.pages.is_some() {
            return Ok(());
        }
        // Where nobody types a password, what an account is shown would be pages.
        let (roles, client) = if self.has_passwords() {
            (["LOGIN", "REGISTER", "FORGOT"], self.client())
        } else {
            (["ME", "SESSIONS", "EXPORT"], self.member()?.1)
        };
        for role in roles {
            let path = self.role(role)?.path;
            let answer = client.elsewhere().send(&Request::new("GET", &path).header("Accept", "text/html"))?;
            if answer.status == 200 && answer.header("content-type").is_some_and(|kind| kind.contains("html")) {
                return Err(Stop::Missing(format!("the contract has no `[pages]`, and `{path}` is a page")));
            }
        }
        Err(Stop::NotApplicable("the application has no pages".to_owned()))
    }

    /// The page where a role's form stands, or a page without role; got, not sent.
    ///
    /// # Errors
    /// `NotApplicable` when the application has no pages.
    pub fn page(&self, name: &str) -> Outcome<Call> {
        let mut call = self.form(name)?;
        let mut role = (*call.role).clone();
        "GET".clone_into(&mut role.method);
        call.role = Arc::new(role);
        if let Some(at) = self.contract.pages.as_ref().and_then(|pages| pages.at.get(name)) {
            call.path.clone_from(at);
        }
        Ok(call)
    }

    /// The role as its form is sent; success and failure are those of pages.
    ///
    /// # Errors
    /// `NotApplicable` when the application has no pages.
    pub fn form(&self, name: &str) -> Outcome<Call> {
        let pages = self.contract.pages.as_ref();
        let pages = pages.ok_or_else(|| Stop::NotApplicable("the application has no pages".to_owned()))?;
        let call = match pages.only.get(name) {
            Some(role) => self.call_of(name, role),
            None => self.role(name)?,
        };
        let mut role = Role { success: pages.success.clone(), ..(*call.role).clone() };
        if let Some(refused) = &pages.refused {
            role.success.not_leads = Some(refused.clone());
            role.failure = Predicate { leads: Some(refused.clone()), ..Predicate::default() };
        }
        Ok(Call { role: Arc::new(role), encoding: pages.encoding, accept: Some(pages.accept.clone()), ..call })
    }

    /// The link that the role mails.
    ///
    /// # Errors
    /// When the contract does not say how it looks.
    pub fn link_of(&self, role: &str) -> Outcome<MailLink> {
        let link = self.role(role)?.role.mail.clone();
        link.ok_or_else(|| Stop::Missing(format!("the contract has no `mail` in role {role}")))
    }
}

impl Client {
    /// Another client with the same jar and address.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            app: self.app.clone(),
            jar: self.jar.clone(),
            source: self.source.clone(),
            from: self.from,
            agent: self.agent.clone(),
            instance: self.instance,
        }
    }

    /// The same jar from an address that nobody had before.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        Self { jar: self.jar.clone(), agent: self.agent.clone(), instance: self.instance, ..self.app.client() }
    }

    /// The session in the jar.
    pub fn session(&self) -> Option<String> {
        let session = &self.app.contract.cookies.session;
        let development = self.app.contract.cookies.development.get("session");
        self.jar.get(session).or_else(|| self.jar.get(development?)).cloned()
    }

    /// The same client with another session, or none.
    #[must_use]
    pub fn with_session(&self, session: Option<&str>) -> Self {
        let mut client = self.copy();
        let name = self.app.contract.cookies.session.clone();
        match session {
            Some(session) => _ = client.jar.insert(name, session.to_owned()),
            None => _ = client.jar.remove(&name),
        }
        client
    }

    /// What a browser adds to an unsafe request that a page of the application makes.
    ///
    /// # Errors
    /// When the token that the contract asks for does not come.
    pub fn guarded(&self, call: &Call) -> Outcome<Request> {
        let (request, jar) = self.guard(call)?;
        // Without the cookie that it may be bound to, the token is worth nothing.
        Ok(if jar == self.jar { request } else { request.with("Cookie", cookies(&jar)) })
    }

    /// The guarded request, and the jar as it is after the visit that gave the token.
    fn guard(&self, call: &Call) -> Outcome<(Request, Jar)> {
        let csrf = self.app.contract.csrf.clone();
        if call.is_safe() {
            return Ok((call.request(), self.jar.clone()));
        }
        let (mut call, mut headers, mut jar) = (call.clone(), vec![], self.jar.clone());
        if csrf.source == CsrfSource::Token {
            let token;
            (token, jar) = self.csrf()?;
            match (&csrf.header, &csrf.field) {
                (Some(header), _) => headers.push((header.clone(), token)),
                (None, Some(field)) => _ = call.fields.insert(field.clone(), token.into()),
                (None, None) => {
                    return Err(Stop::Missing("the contract's `[csrf]` names neither `header` nor `field`".to_owned()));
                }
            }
        }
        headers.extend(
            csrf.headers.iter().map(|(name, value)| (name.clone(), value.replace("{base_url}", &self.app.origin))),
        );
        Ok((headers.into_iter().fold(call.request(), |request, (name, value)| request.with(&name, value)), jar))
    }

    /// A fresh anti-forgery token for this jar, from role CSRF.
    ///
    /// # Errors
    /// When the contract does not say where it is, or it does not come.
    pub fn csrf_token(&self) -> Outcome<String> {
        Ok(self.csrf()?.0)
    }

    /// A token, and the jar as it is after the visit that gave it.
    fn csrf(&self) -> Outcome<(String, Jar)> {
        let missing = || Stop::Missing("the contract's `[csrf]` has no `token`".to_owned());
        let pointer = self.app.contract.csrf.token.clone().ok_or_else(missing)?;
        let mut client = self.copy();
        let answer = client.send(&client.app.role("CSRF")?.request())?;
        if answer.status == 503 {
            // What an application cannot look up it cannot give; the request goes without.
            return Ok((String::new(), client.jar));
        }
        let token = answer.json().pointer(&pointer).and_then(|token| Some(token.as_str()?.to_owned()));
        let token = token.ok_or_else(|| Stop::Positive("role CSRF gives a token".to_owned(), answer.exchange()))?;
        Ok((token, client.jar))
    }

    /// Sends as a page of the application would.
    ///
    /// # Errors
    /// When there is no answer; see [`Stop`].
    pub fn call(&mut self, call: &Call) -> Outcome<Answer> {
        let (request, jar) = self.guard(call)?;
        self.jar = jar;
        self.send(&request)
    }

    /// Sends the request with Host, cookies, address, length and `Connection: close` where it does not have them itself, and
    /// keeps the cookies of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&mut self, request: &Request) -> Outcome<Answer> {
        let answer = self.try_send(request)?;
        Ok(answer)
    }

    /// As [`Self::send`], for tests to which a closed connection is an answer too.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_send(&mut self, request: &Request) -> Result<Answer, crate::http::Broken> {
        if self.app.interrupted.load(Ordering::Relaxed) {
            return Err(crate::http::Broken::Interrupted);
        }
        let request = self.completed(request);
        let answer = exchange(self.address(), self.from, &request, &self.app.contract)?;
        self.keep(&answer);
        Ok(answer)
    }

    /// Sends the bytes of an answered request again, from the address that they came from.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn repeat(&self, answer: &Answer) -> Outcome<Answer> {
        let mut again = Request::new("GET", "/");
        again.role.clone_from(&answer.role);
        Ok(exchange_bytes(self.address(), self.from, &answer.sent, &again, &self.app.contract)?)
    }

    /// The process that the next request goes to.
    pub fn address(&self) -> std::net::SocketAddr {
        let turn = || self.app.turns.fetch_add(1, Ordering::Relaxed);
        self.app.address(self.instance.unwrap_or_else(turn))
    }

    /// The request as it would go over the wire.
    pub fn completed(&self, request: &Request) -> Request {
        let mut request = request.clone();
        let mut add = |name: &str, value: String| {
            if !request.has(name) {
                request.headers.push((name.to_owned(), value.into_bytes()));
            }
        };
        add("Host", self.app.origin.split("://").nth(1).unwrap_or("app.test").to_owned());
        add("Connection", "close".to_owned());
        if let Some(agent) = &self.agent {
            add("User-Agent", agent.clone());
        }
        if let Some(source) = &self.source {
            add("X-Forwarded-For", source.clone());
            add("X-Forwarded-Proto", "https".to_owned());
        }
        if !self.jar.is_empty() {
            add("Cookie", cookies(&self.jar));
        }
        let length = request.body.len();
        if (length > 0 || !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE"))
            && !request.has("Content-Length")
            && !request.has("Transfer-Encoding")
        {
            request.headers.push(("Content-Length".to_owned(), length.to_string().into_bytes()));
        }
        request
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.cookies() {
            let gone = cookie.value_trimmed().is_empty()
                || cookie.max_age().is_some_and(|age| age.is_zero() || age.is_negative());
            if gone {
                self.jar.remove(cookie.name());
            } else {
                self.jar.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }
}

//! An account's life with what goes wrong in each step: what attacks on all answers, or on the whole log, look at.

use std::sync::Arc;

use crate::{
    client::{Call, Client},
    devices::Device,
    http::Answer,
    lab::App,
    people::{self, Person},
    provider::{Grant, Subject},
    random,
    test::{Outcome, Stop},
};

/// One request of the tour.
pub struct Step {
    /// What was done, by the contract's `[log.events]`; empty for what is no event.
    pub event: &'static str,
    pub answer: Answer,
    /// The address that the application saw.
    pub source: Option<String>,
    /// Whether it acts for the account, so that the log names its user.
    pub of_account: bool,
}

pub struct Tour {
    pub app: Arc<App>,
    pub steps: Vec<Step>,
    /// All that must stay between the two sides.
    pub secrets: Vec<String>,
    /// Those of them that open something by themselves.
    pub bearers: Vec<String>,
    pub agent: String,
    /// The account's id.
    pub user: Option<String>,
    /// An address without account that was tried.
    pub unknown: String,
    person: Person,
}

impl Tour {
    /// # Errors
    /// When something does not work that must.
    pub fn new(app: &Arc<App>) -> Outcome<Self> {
        let mut tour = Self {
            app: app.clone(),
            steps: vec![],
            secrets: vec![],
            bearers: vec![],
            agent: format!("tour/{}", random::letters(10)),
            user: None,
            unknown: people::email(),
            person: Person::new(),
        };
        if !app.has_passwords() {
            let client = tour.again()?;
            tour.providers(client)?;
            tour.leave()?;
            return Ok(tour);
        }
        tour.secrets.push(tour.person.password.clone());
        tour.sign_up()?;
        let client = tour.sign_in()?;
        let client = tour.change_password(client)?;
        tour.forget()?;
        drop(client);
        let client = tour.again()?;
        let client = tour.change_address(client)?;
        let client = if app.providers.is_empty() { client } else { tour.linked(client)? };
        tour.end_sessions(client)?;
        if app.contract.tokens.is_some() {
            tour.use_devices()?;
        }
        tour.leave()?;
        Ok(tour)
    }

    fn client(&self) -> Client {
        Client { agent: Some(self.agent.clone()), ..self.app.client() }
    }

    /// Sends the request; what is right must work. That what is wrong is refused, other controls assert.
    fn send(&mut self, client: &mut Client, call: &Call, event: &'static str, fails: bool) -> Outcome<Answer> {
        let answer = client.call(call)?;
        if !fails && !answer.succeeded() {
            return Err(Stop::Positive(format!("{} works", call.name()), answer.exchange()));
        }
        self.note(client, answer.clone(), event);
        Ok(answer)
    }

    fn note(&mut self, client: &Client, answer: Answer, event: &'static str) {
        self.keep(client, &answer);
        let of_account = !matches!(event, "" | "resend" | "reset_requested");
        self.steps.push(Step { event, answer, source: client.source.clone(), of_account });
    }

    fn keep(&mut self, client: &Client, answer: &Answer) {
        for value in client.jar.values().cloned().chain(answer.session()) {
            if !self.bearers.contains(&value) {
                self.bearers.push(value);
            }
        }
    }

    fn right(&mut self, client: &mut Client, call: &Call, event: &'static str) -> Outcome<Answer> {
        self.send(client, call, event, false)
    }

    fn wrong(&mut self, client: &mut Client, call: &Call, event: &'static str) -> Outcome<Answer> {
        self.send(client, call, event, true)
    }

    fn token(&mut self, role: &str, email: &str) -> Outcome<String> {
        let token = self.app.token(role, email, 1)?;
        self.bearers.push(token.clone());
        Ok(token)
    }

    /// A password that nothing else has, counted among the secrets.
    fn password(&mut self) -> String {
        let password = random::password();
        self.secrets.push(password.clone());
        password
    }

    fn sign_up(&mut self) -> Outcome {
        let (app, email) = (self.app.clone(), self.person.email.clone());
        let mut client = self.client();
        let register = app.role("REGISTER")?.field("email", email.as_str());
        let short = format!("{}!", random::letters(5));
        self.secrets.push(short.clone());
        self.wrong(&mut client, &register.clone().field("password", short), "")?;
        let right = register.field("password", self.person.password.as_str());
        self.right(&mut client, &right, "register")?;
        let early = app.role("LOGIN")?.field("email", email.as_str()).field("password", self.person.password.as_str());
        self.wrong(&mut self.client(), &early, "")?;
        let mailed = self.token("REGISTER", &email)?;
        self.right(&mut self.client(), &app.role("RESEND")?.field("email", email.as_str()), "resend")?;
        let tokens = app.tokens("RESEND", &email, 2, people::MAIL)?;
        let token = tokens.last().cloned().unwrap_or(mailed);
        self.bearers.push(token.clone());
        let lost = random::secret();
        if app.contract.roles.contains_key("VERIFY_PAGE") {
            self.right(&mut self.client(), &app.role("VERIFY_PAGE")?.query("token", &token), "")?;
            self.wrong(&mut self.client(), &app.role("VERIFY_PAGE")?.query("token", &lost), "")?;
        }
        self.wrong(&mut self.client(), &app.role("VERIFY")?.field("token", lost), "")?;
        let verify = app.role("VERIFY")?.field("token", token);
        let verify = if verify.role().fields.contains_key("password") {
            verify.field("password", self.person.password.as_str())
        } else {
            verify
        };
        self.right(&mut self.client(), &verify, "verify")?;
        Ok(())
    }

    fn login(&self, email: &str, password: &str) -> Outcome<Call> {
        Ok(self.app.role("LOGIN")?.field("email", email).field("password", password))
    }

    fn sign_in(&mut self) -> Outcome<Client> {
        let (app, email) = (self.app.clone(), self.person.email.clone());
        let mut client = self.client();
        self.wrong(&mut client, &app.role("ME")?, "")?;
        let (wrong, unknown) = (self.password(), self.unknown.clone());
        self.wrong(&mut client, &self.login(&email, &wrong)?, "login_failed")?;
        let nobody = self.login(&unknown, &wrong)?;
        self.wrong(&mut client, &nobody, "login_failed")?;
        if let Some(last) = self.steps.last_mut() {
            last.of_account = false;
        }
        self.right(&mut client, &self.login(&email, &self.person.password)?, "login")?;
        let me = self.right(&mut client, &app.role("ME")?, "")?;
        self.user = me.value("id");
        self.right(&mut client, &app.role("PROTECTED")?, "")?;
        Ok(client)
    }

    fn change_password(&mut self, mut client: Client) -> Outcome<Client> {
        let app = self.app.clone();
        let (wrong, new) = (self.password(), self.password());
        let change = app.role("PWCHANGE")?.field("new_password", new.as_str());
        self.wrong(&mut client, &change.clone().field("current_password", wrong.as_str()), "login_failed")?;
        let right = change.field("current_password", self.person.password.as_str());
        self.right(&mut client, &right, "password_changed")?;
        self.person.password = new;
        self.wrong(&mut client, &app.role("REAUTH")?.field("password", wrong), "login_failed")?;
        let right = app.role("REAUTH")?.field("password", self.person.password.as_str());
        self.right(&mut client, &right, "reauth")?;
        Ok(client)
    }

    fn forget(&mut self) -> Outcome {
        let (app, email) = (self.app.clone(), self.person.email.clone());
        let mut client = self.client();
        self.right(&mut client, &app.role("FORGOT")?.field("email", email.as_str()), "reset_requested")?;
        let (token, new, lost) = (self.token("FORGOT", &email)?, self.password(), random::secret());
        if app.contract.roles.contains_key("RESET_PAGE") {
            self.right(&mut client, &app.role("RESET_PAGE")?.query("token", &token), "")?;
            self.wrong(&mut client, &app.role("RESET_PAGE")?.query("token", &lost), "")?;
        }
        let reset = app.role("RESET")?.field("password", new.as_str());
        self.wrong(&mut client, &reset.clone().field("token", lost), "")?;
        self.right(&mut client, &reset.clone().field("token", token.as_str()), "password_reset")?;
        self.wrong(&mut client, &reset.field("token", token), "")?;
        self.person.password = new;
        Ok(())
    }

    fn again(&mut self) -> Outcome<Client> {
        let mut client = self.client();
        if !self.app.has_passwords() {
            let subject = self.person.at_provider();
            self.by_provider(&mut client, "OIDC_START", &subject, "federated_login")?;
            return Ok(client);
        }
        let login = self.login(&self.person.email, &self.person.password)?;
        self.right(&mut client, &login, "login")?;
        Ok(client)
    }

    /// To a provider and back.
    fn by_provider(&mut self, client: &mut Client, role: &str, subject: &Subject, event: &'static str) -> Outcome {
        let app = self.app.clone();
        let provider = app.provider(0)?;
        let visit = client.visit_by(&app.role_at(role, provider)?, provider)?;
        self.note(client, visit.answer.clone(), "");
        let grant = Grant::new(subject);
        self.bearers.push(grant.access_token.clone());
        let code = provider.grant(&visit.ask, grant);
        self.bearers.extend([code.clone(), visit.ask.state.clone()]);
        let answer = client.come_back(&visit, &code)?;
        if !matches!(answer.status, 200..=399) {
            return Err(Stop::Positive(format!("who comes back after {role} is welcome"), answer.exchange()));
        }
        self.note(client, answer, event);
        Ok(())
    }

    /// What goes wrong at a provider, and what an account of one is like.
    fn providers(&mut self, mut client: Client) -> Outcome {
        let app = self.app.clone();
        let me = self.right(&mut client, &app.role("ME")?, "")?;
        self.user = me.value("id");
        self.right(&mut client, &app.role("PROTECTED")?, "")?;
        self.strayed()?;
        self.end_sessions(client)
    }

    /// A way back that nobody was sent on.
    fn strayed(&mut self) -> Outcome {
        let app = self.app.clone();
        let mut client = self.client();
        let visit = client.visit(app.provider(0)?)?;
        let back = visit.back(&random::letters(30)).with("state", &random::letters(43));
        let answer = client.send(&back.request(&app)?)?;
        self.note(&client, answer, "");
        Ok(())
    }

    /// An identity is added, signs in, and is taken away.
    fn linked(&mut self, mut client: Client) -> Outcome<Client> {
        let (app, subject) = (self.app.clone(), Subject::new());
        self.by_provider(&mut client, "OIDC_LINK", &subject, "identity_linked")?;
        self.by_provider(&mut self.client(), "OIDC_START", &subject, "federated_login")?;
        self.strayed()?;
        for role in ["PROVIDERS", "IDENTITIES"].into_iter().filter(|role| app.contract.roles.contains_key(*role)) {
            self.right(&mut client, &app.role(role)?, "")?;
        }
        let unlink = app.role_at("OIDC_UNLINK", app.provider(0)?)?;
        self.right(&mut client, &unlink, "identity_unlinked")?;
        Ok(client)
    }

    fn change_address(&mut self, mut client: Client) -> Outcome<Client> {
        let (app, new) = (self.app.clone(), people::email());
        let change = app.role("EMAIL_CHANGE")?.field("email", new.as_str());
        self.right(&mut client, &change, "email_change_requested")?;
        let (token, lost) = (self.token("EMAIL_CHANGE", &new)?, random::secret());
        if app.contract.roles.contains_key("EMAIL_CONFIRM_PAGE") {
            self.right(&mut client, &app.role("EMAIL_CONFIRM_PAGE")?.query("token", &token), "")?;
        }
        self.wrong(&mut client, &app.role("EMAIL_CONFIRM")?.field("token", lost), "")?;
        self.right(&mut client, &app.role("EMAIL_CONFIRM")?.field("token", token), "email_changed")?;
        self.person.email = new;
        Ok(client)
    }

    fn end_sessions(&mut self, mut client: Client) -> Outcome {
        let app = self.app.clone();
        self.again()?;
        let list = self.right(&mut client, &app.role("SESSIONS")?, "")?;
        let unknown = app.role("SESSION_REVOKE")?.segment("id", &random::letters(16));
        self.wrong(&mut client, &unknown, "")?;
        if let Some(other) = other_session(&app, &list)? {
            let revoke = app.role("SESSION_REVOKE")?.segment("id", &other);
            self.right(&mut client, &revoke, "session_revoked")?;
        }
        self.right(&mut client, &app.role("REVOKE_ALL_OTHERS")?, "sessions_revoked")?;
        self.right(&mut client, &app.role("EXPORT")?, "exported")?;
        self.right(&mut client, &app.role("LOGOUT")?, "logout")?;
        Ok(())
    }

    /// A device's life: it gets tokens, uses and refreshes them, has one stolen, and gives one back.
    fn use_devices(&mut self) -> Outcome {
        let app = self.app.clone();
        let mut device = self.client();
        let first = self.granted(&mut device)?;
        self.asked(&mut device, &first)?;
        let refresh = app.role("TOKEN_REFRESH")?;
        let with = |token: &str| refresh.clone().field("refresh_token", token);
        let answer = self.right(&mut device, &with(&first.refresh), "token_refreshed")?;
        let second = self.held(&answer)?;
        self.wrong(&mut device, &with(&random::secret()), "")?;
        self.wrong(&mut device, &with(&first.refresh), "token_reuse")?;
        self.wrong(&mut device, &with(&second.refresh), "")?;
        let mut other = self.client();
        let third = self.granted(&mut other)?;
        let revoke = app.role("TOKEN_REVOKE")?;
        self.right(&mut other, &revoke.field("token", third.refresh), "token_revoked")?;
        self.right(&mut other, &app.role("JWKS")?, "")?;
        Ok(())
    }

    fn granted(&mut self, client: &mut Client) -> Outcome<Device> {
        let app = self.app.clone();
        let answer = if app.grants_by_password()? {
            let call = app.password_grant(&self.person.email, &self.person.password)?;
            self.right(client, &call, "token_issued")?
        } else {
            let mut browser = self.again()?;
            self.right(&mut browser, &app.session_grant()?, "token_issued")?
        };
        self.held(&answer)
    }

    /// The device, whose tokens open something by themselves.
    fn held(&mut self, answer: &Answer) -> Outcome<Device> {
        let device = Device::of(&self.app, answer)?;
        let signature = device.access.rsplit('.').next().unwrap_or_default().to_owned();
        self.bearers.extend([device.refresh.clone(), signature]);
        self.secrets.push(device.access.clone());
        Ok(device)
    }

    /// Its access token opens what it is for.
    fn asked(&mut self, client: &mut Client, device: &Device) -> Outcome {
        for role in ["API", "DEVICES"] {
            let answer = client.send(&device.bearing(&self.app.role(role)?))?;
            if !answer.succeeded() {
                return Err(Stop::Positive(format!("{role} takes an access token"), answer.exchange()));
            }
            self.steps.push(Step { event: "", answer, source: client.source.clone(), of_account: false });
        }
        Ok(())
    }

    fn leave(&mut self) -> Outcome {
        let mut client = self.again()?;
        let call = self.app.role("DELETE_ACCOUNT")?;
        self.right(&mut client, &call, "account_deleted")?;
        self.wrong(&mut client, &self.app.role("ME")?, "")?;
        Ok(())
    }
}

/// The id of a session in the list that is not the one that asks.
fn other_session(app: &App, list: &Answer) -> Outcome<Option<String>> {
    let names = app.role("SESSIONS")?.role().extract.clone();
    let at =
        |key: &str| names.get(key).cloned().ok_or_else(|| Stop::Missing(format!("role SESSIONS extracts no `{key}`")));
    let (sessions, id, current) = (at("list")?, at("id")?, at("current")?);
    let json = list.json();
    let mut others = json.pointer(&sessions).and_then(|all| all.as_array()).into_iter().flatten();
    let other = others.find(|session| session.pointer(&current).is_some_and(|current| *current == false));
    Ok(other.and_then(|session| Some(session.pointer(&id)?.as_str()?.to_owned())))
}

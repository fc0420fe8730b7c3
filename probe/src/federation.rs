//! Signing in by way of a provider, as a browser does it.

use std::sync::Arc;

use crate::{
    client::{Call, Client, encoded},
    http::{Answer, Request},
    lab::App,
    people::Person,
    provider::{Ask, Grant, Provider, Subject},
    test::{Outcome, Stop},
};

/// A browser that was sent to a provider.
#[derive(Clone)]
pub struct Visit {
    pub ask: Ask,
    /// What sent it there.
    pub answer: Answer,
    provider: String,
    issuer: String,
}

/// How a browser comes back from a provider: parameters in their order, and the path of one provider's callback.
#[derive(Clone, Debug)]
pub struct Return {
    provider: String,
    parameters: Vec<(String, String)>,
}

impl App {
    /// The provider of that number.
    ///
    /// # Errors
    /// `NotRun` where the application runs elsewhere, `NotApplicable` where it has fewer, `Missing` where its contract does
    /// not say how to tell it of one.
    pub fn provider(&self, number: usize) -> Outcome<&Provider> {
        if let Some(provider) = self.providers.get(number) {
            return Ok(provider);
        }
        if self.contract.providers.iter().all(|names| names.issuer.is_none()) {
            return Err(Stop::Missing("the contract has no `[[providers]]` with an `issuer`".to_owned()));
        }
        if self.providers.is_empty() {
            let why = "the application runs elsewhere; this attack starts it with the probe's own providers";
            return Err(Stop::NotRun(why.to_owned()));
        }
        Err(Stop::NotApplicable("the application has one provider; this attack needs two".to_owned()))
    }

    /// Whether the provider is one that says when somebody signed in there, and can so be asked for it anew.
    pub fn says_when(&self, provider: &Provider) -> bool {
        self.contract.providers.iter().any(|names| names.id == provider.id && names.max_age.is_some())
    }

    /// What sends a browser to the first provider, each with its name. One that does not say when somebody signed in there
    /// cannot be asked for it anew.
    ///
    /// # Errors
    /// When there is no provider, or no such role.
    pub fn departures(&self) -> Outcome<Vec<(&'static str, Call)>> {
        let provider = self.provider(0)?;
        let reauth = self.says_when(provider).then_some("OIDC_REAUTH");
        let roles = ["OIDC_START", "OIDC_LINK"].into_iter().chain(reauth);
        roles.map(|role| Ok((role, self.role_at(role, provider)?))).collect()
    }

    /// Whether accounts have passwords.
    pub fn has_passwords(&self) -> bool {
        self.modules.is_empty() || self.modules.iter().any(|module| module == "password")
    }

    /// A way back from a provider that nobody was sent on, with these parameters.
    ///
    /// # Errors
    /// When the contract has no role for it.
    pub fn strayed(&self, parameters: &[(&str, &str)]) -> Outcome<Request> {
        let provider = self.provider(0)?.id.clone();
        Return { provider, parameters: vec![] }.all(parameters).request(self)
    }

    /// A role about a provider.
    ///
    /// # Errors
    /// When the contract has no such role.
    pub fn role_at(&self, name: &str, provider: &Provider) -> Outcome<Call> {
        Ok(self.role(name)?.segment("provider", &provider.id))
    }

    /// A browser in which somebody is signed in by the provider of that number.
    ///
    /// # Errors
    /// When that does not work.
    pub fn federated(self: &Arc<Self>, number: usize, subject: &Subject) -> Outcome<Client> {
        let mut client = self.client();
        let answer = client.sign_in_at(self.provider(number)?, Grant::new(subject))?;
        if !answer.succeeded() || !client.is_signed_in()? {
            let what = "who comes back from a provider is signed in".to_owned();
            return Err(Stop::Positive(what, answer.exchange()));
        }
        Ok(client)
    }
}

impl Client {
    /// Is sent to the provider to sign in.
    ///
    /// # Errors
    /// When it is not.
    pub fn visit(&mut self, provider: &Provider) -> Outcome<Visit> {
        let call = self.app.role_at("OIDC_START", provider)?;
        self.visit_by(&call, provider)
    }

    /// Is sent to the provider by that request.
    ///
    /// # Errors
    /// When it is not.
    pub fn visit_by(&mut self, call: &Call, provider: &Provider) -> Outcome<Visit> {
        let answer = self.call(call)?;
        let location = answer.value("location").filter(|_| answer.succeeded());
        let ask = location.and_then(|location| Ask::parse(&location).ok());
        let what = format!("{} sends the browser to the provider", call.name());
        let ask = ask.ok_or_else(|| Stop::Positive(what, answer.exchange()))?;
        Ok(Visit { ask, answer, provider: provider.id.clone(), issuer: provider.issuer() })
    }

    /// Comes back as the provider sends it.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn come_back(&mut self, visit: &Visit, code: &str) -> Outcome<Answer> {
        let request = visit.back(code).request(&self.app)?;
        self.send(&request)
    }

    /// The client on its way back from the first provider, to which that call sent it, with the request that it makes then.
    ///
    /// # Errors
    /// When it is not sent there.
    pub fn about_to_return(mut self, call: &Call, person: &Person) -> Outcome<(Self, Request)> {
        let app = self.app.clone();
        let provider = app.provider(0)?;
        let visit = self.visit_by(call, provider)?;
        let code = provider.grant(&visit.ask, Grant::new(&person.at_provider()));
        Ok((self, visit.back(&code).request(&app)?))
    }

    /// Signs in at the provider, there and back.
    ///
    /// # Errors
    /// When it is not sent there, or there is no answer.
    pub fn sign_in_at(&mut self, provider: &Provider, grant: Grant) -> Outcome<Answer> {
        let visit = self.visit(provider)?;
        let code = provider.grant(&visit.ask, grant);
        self.come_back(&visit, &code)
    }
}

impl Visit {
    /// The way back with this code.
    pub fn back(&self, code: &str) -> Return {
        let pairs = [("code", code), ("state", &self.ask.state), ("iss", &self.issuer)];
        let parameters = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Return { provider: self.provider.clone(), parameters }
    }

    /// The way back with an error.
    pub fn failed(&self, error: &str) -> Return {
        self.back("").without("code").and("error", error)
    }
}

impl Return {
    /// With another value of a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        for (key, old) in &mut self.parameters {
            if key == name {
                value.clone_into(old);
            }
        }
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(key, _)| key != name);
        self
    }

    /// With one more parameter, at the end, whether there is one of that name or not.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    fn all(self, parameters: &[(&str, &str)]) -> Self {
        parameters.iter().fold(self, |back, (name, value)| back.and(name, value))
    }

    /// To the callback of another provider.
    #[must_use]
    pub fn to(mut self, provider: &Provider) -> Self {
        self.provider.clone_from(&provider.id);
        self
    }

    /// The request that the browser then makes: other sites send it there, so nothing says that a page of the application did.
    ///
    /// # Errors
    /// When the contract has no role for it.
    pub fn request(&self, app: &App) -> Outcome<Request> {
        let call = app.role("OIDC_CALLBACK")?.segment("provider", &self.provider);
        let named = |name: &String| call.role().query.get(name).unwrap_or(name).clone();
        let pairs = self.parameters.iter();
        let query: Vec<String> =
            pairs.map(|(name, value)| format!("{}={}", encoded(&named(name)), encoded(value))).collect();
        let mut request = call.request();
        request.target = format!("{}?{}", request.target, query.join("&"));
        Ok(request)
    }
}

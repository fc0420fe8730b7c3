//! What a provider answers for one sign-in there: right, but for what an attack changes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::{ask::Ask, keys::Key, reply::Manner};
use crate::{people, random};

/// A field and its new value; `None` takes it out.
pub type Change = (String, Option<Value>);

/// Makes the changes.
pub fn changed(fields: &mut Map<String, Value>, changes: &[Change]) {
    for (name, value) in changes {
        match value {
            Some(value) => _ = fields.insert(name.clone(), value.clone()),
            None => _ = fields.shift_remove(name),
        }
    }
}

/// Who signs in at the provider.
#[derive(Clone, Debug)]
pub struct Subject {
    pub sub: String,
    pub email: String,
}

impl Subject {
    /// Somebody whom no application knows.
    pub fn new() -> Self {
        Self::of(&people::email())
    }

    /// Somebody new, with this address.
    pub fn of(email: &str) -> Self {
        Self { sub: random::letters(20), email: email.to_owned() }
    }
}

impl Default for Subject {
    fn default() -> Self {
        Self::new()
    }
}

/// With what an ID token is signed.
#[derive(Clone, Default)]
pub enum Signed {
    /// The provider's first key, as its header says.
    #[default]
    Own,
    /// The provider's key of this algorithm.
    By(Algorithm),
    /// Another key, by this algorithm, whatever the header says.
    Other(Key, Algorithm),
    /// HMAC with this for a key.
    Secret(Vec<u8>),
}

/// What happens to a token that was signed, or to its text before that.
#[derive(Clone, Debug)]
pub enum Spoilt {
    /// One bit of the signature is another.
    Bit,
    /// One claim is another than what was signed.
    Payload(Change),
    /// The third part is this.
    Signature(String),
    /// It is this.
    Whole(String),
    /// A text in the claims is replaced before they are signed: for what no JSON writer writes.
    Text(String, String),
}

/// What UserInfo answers.
#[derive(Clone, Debug)]
pub enum UserInfo {
    /// The right claims, changed.
    Claims(Vec<Change>),
    Answer(Manner),
}

#[derive(Clone)]
pub struct Grant {
    pub subject: Subject,
    pub claims: Vec<Change>,
    pub header: Vec<Change>,
    pub signed: Signed,
    pub spoilt: Option<Spoilt>,
    /// Changes of the token endpoint's answer.
    pub answer: Vec<Change>,
    /// What the token endpoint does instead of answering.
    pub instead: Option<Manner>,
    pub userinfo: UserInfo,
    /// The provider asks for the verifier of the code's challenge. Else it does not, as one does that knows no PKCE.
    pub proof: bool,
    pub access_token: String,
}

impl Grant {
    /// The right answer. It is mild: it takes any verifier, and a code as often as it comes, so that the application's own
    /// checks are what refuses.
    pub fn new(subject: &Subject) -> Self {
        Self {
            subject: subject.clone(),
            claims: vec![],
            header: vec![],
            signed: Signed::Own,
            spoilt: None,
            answer: vec![],
            instead: None,
            userinfo: UserInfo::Claims(vec![]),
            proof: false,
            access_token: random::letters(40),
        }
    }

    /// With another claim in the ID token.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Without a claim in the ID token.
    #[must_use]
    pub fn no_claim(mut self, name: &str) -> Self {
        self.claims.push((name.to_owned(), None));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.push((name.to_owned(), Some(value.into())));
        self
    }

    #[must_use]
    pub fn no_header(mut self, name: &str) -> Self {
        self.header.push((name.to_owned(), None));
        self
    }

    #[must_use]
    pub fn signed(mut self, signed: Signed) -> Self {
        self.signed = signed;
        self
    }

    #[must_use]
    pub fn spoilt(mut self, spoilt: Spoilt) -> Self {
        self.spoilt = Some(spoilt);
        self
    }

    /// With another field in the token endpoint's answer.
    #[must_use]
    pub fn answer(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.answer.push((name.to_owned(), Some(value.into())));
        self
    }

    #[must_use]
    pub fn no_answer(mut self, name: &str) -> Self {
        self.answer.push((name.to_owned(), None));
        self
    }

    /// The token endpoint does this instead.
    #[must_use]
    pub fn instead(mut self, manner: Manner) -> Self {
        self.instead = Some(manner);
        self
    }

    /// The ID token has no address; UserInfo is asked for it, and answers this.
    #[must_use]
    pub fn by_userinfo(self, userinfo: UserInfo) -> Self {
        Self { userinfo, ..self.no_claim("email").no_claim("email_verified") }
    }

    #[must_use]
    pub fn proof(mut self) -> Self {
        self.proof = true;
        self
    }

    /// What UserInfo says of the subject.
    pub(super) fn person(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), self.subject.sub.clone().into());
        claims.insert("email".to_owned(), self.subject.email.clone().into());
        claims.insert("email_verified".to_owned(), true.into());
        claims
    }

    /// The claims of the ID token.
    pub(super) fn id_claims(&self, issuer: &str, ask: &Ask, now: u64) -> Map<String, Value> {
        let mut claims = self.person();
        let mut put = |name: &str, value: Value| _ = claims.insert(name.to_owned(), value);
        put("iss", issuer.into());
        put("aud", ask.client_id.clone().into());
        put("iat", now.into());
        put("exp", (now + 300).into());
        put("at_hash", at_hash(&self.access_token).into());
        if let Some(nonce) = &ask.nonce {
            put("nonce", nonce.clone().into());
        }
        if ask.wants_fresh() {
            put("auth_time", now.into());
        }
        if let Some(acr) = &ask.acr {
            put("acr", acr.clone().into());
        }
        changed(&mut claims, &self.claims);
        claims
    }
}

/// The left half of the hash, for algorithms with SHA-256.
fn at_hash(access_token: &str) -> String {
    use sha2::Digest as _;
    URL_SAFE_NO_PAD.encode(&sha2::Sha256::digest(access_token)[..16])
}

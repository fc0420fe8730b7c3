//! Access tokens: JWTs in the profile of RFC 9068, signed with EdDSA.

use [= import.jsonwebtoken =]::{
    Algorithm, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use serde::{Deserialize, Deserializer, Serialize};

use super::{families::Family, keys::Keys};
use crate::auth::{db::now, problem::Problem, settings::Settings, tokens};

/// What tells an access token from anything else that these keys may ever sign (RFC 9068 2.1).
const TYPE: &str = "at+jwt";

/// Longer ones are refused unread.
const MAX_LENGTH: usize = 8 * 1024;

/// How far clocks may differ.
const LEEWAY_SECONDS: u64 = 30;

/// Why a token is refused, for the log.
pub type Refusal = &'static str;

/// What an access token says. Each claim has one type; another is an error, never an absent claim.
#[derive(Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    pub sub: String,
    aud: Audience,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    /// The family.
    pub sid: String,
    /// Names with spaces between. Whatever is not that, opens nothing.
    #[serde(default, deserialize_with = "scope")]
    pub scope: String,
    amr: Vec<String>,
    pub auth_time: i64,
    /// The account's epoch.
    pub ver: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

fn scope<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

/// Signs access tokens, and tells which are ours.
pub struct Access {
    keys: Keys,
    issuer: String,
    audience: String,
    seconds: i64,
    validation: Validation,
}

impl Access {
    pub fn new(settings: &Settings) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[&settings.base_url]);
        validation.set_audience(&[&settings.token_audience]);
        Self {
            keys: settings.token_keys.clone(),
            issuer: settings.base_url.clone(),
            audience: settings.token_audience.clone(),
            seconds: settings.policy.access_token,
            validation,
        }
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// For how many seconds a new token counts: never beyond the end of its family.
    pub fn lifetime(&self, family: &Family) -> i64 {
        self.seconds.min(family.expires_at - now())
    }

    /// A token of a family, for some of its scopes.
    pub fn sign(&self, family: &Family, scope: &str) -> Result<String, Problem> {
        let (kid, key) = self.keys.signing();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.to_owned());
        let now = now();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: family.user_id.clone(),
            aud: Audience::One(self.audience.clone()),
            exp: now + self.lifetime(family),
            nbf: now,
            iat: now,
            jti: tokens::random::<16>(),
            sid: family.id.clone(),
            scope: scope.to_owned(),
            amr: vec![family.amr.clone()],
            auth_time: family.authenticated_at,
            ver: family.epoch,
        };
        encode(&header, &claims, key).map_err(|error| {
            tracing::error!(target: "auth", %error, "an access token was not signed");
            Problem::unavailable()
        })
    }

    /// Reads a token that one of our keys signed, and that counts now. Whether its family lives is
    /// for the database to say.
    pub fn read(&self, token: &str) -> Result<Claims, Refusal> {
        if token.len() > MAX_LENGTH {
            return Err("too_long");
        }
        let header = decode_header(token).map_err(|_| "malformed")?;
        if !is_access_token(&header) {
            return Err("another_kind");
        }
        let key = header.kid.as_deref().and_then(|kid| self.keys.find(kid));
        let key = key.ok_or("unknown_key")?;
        let claims = decode::<Claims>(token, key, &self.validation);
        let claims = claims.map_err(|error| reason(error.kind()))?.claims;
        if claims.iat > now() + LEEWAY_SECONDS.cast_signed() {
            return Err("not_yet");
        }
        // A database may refuse what no name contains, such as NUL.
        if ![&claims.sub, &claims.sid].iter().all(|name| name.bytes().all(|b| b.is_ascii_graphic())) {
            return Err("malformed");
        }
        Ok(claims)
    }
}

/// The right type, and no header but three: neither keys that a token brings along (RFC 8725 3.10)
/// nor extensions that would have to be understood (RFC 7515 4.1.11).
fn is_access_token(header: &Header) -> bool {
    let bare = Header {
        typ: header.typ.clone(),
        kid: header.kid.clone(),
        ..Header::new(Algorithm::EdDSA)
    };
    let typ = header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
    *header == bare && typ.strip_prefix("application/").unwrap_or(&typ) == TYPE
}

fn reason(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::InvalidSignature => "signature",
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not_yet",
        ErrorKind::InvalidIssuer => "issuer",
        ErrorKind::InvalidAudience => "audience",
        _ => "malformed",
    }
}

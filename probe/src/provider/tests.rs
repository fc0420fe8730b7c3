//! A provider answers as a client that checks everything expects, and as a grant says.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};

use super::{Ask, Authority, Endpoint, Grant, HOST, Manner, Paper, Provider, Signed, Spoilt, Subject, keys::Key};

struct Client {
    authority: Authority,
    provider: Provider,
}

impl Client {
    fn new() -> Self {
        let authority = Authority::new().unwrap();
        let provider = Provider::start("one", &authority).unwrap();
        Self { authority, provider }
    }

    /// The answer's body, by a client that trusts the authority.
    fn ask(&self, request: &str) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.file()).unwrap()).unwrap();
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        let connection = ClientConnection::new(tls, ServerName::try_from(HOST).unwrap()).unwrap();
        let port = self.provider.issuer().rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).unwrap()).unwrap()
    }

    fn redeem(&self, code: &str, more: &str) -> Value {
        let provider = &self.provider;
        let body = format!(
            "grant_type=authorization_code&code={code}&client_id={}&client_secret={}{more}",
            provider.client_id, provider.client_secret
        );
        let head = format!("POST /token HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n", body.len());
        serde_json::from_str(&self.ask(&(head + &body)).unwrap()).unwrap()
    }

    fn visit(&self) -> Ask {
        let url = format!(
            "{}?client_id={}&redirect_uri=https://app.test/cb&state=s&nonce=n&code_challenge={}",
            self.provider.authorization_endpoint(),
            self.provider.client_id,
            super::challenge("verifier")
        );
        Ask::parse(&url).unwrap()
    }

    /// What a careful client finds in the ID token.
    fn checked(&self, token: &str, algorithm: Algorithm) -> jsonwebtoken::errors::Result<Value> {
        let header = jsonwebtoken::decode_header(token)?;
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(self.get("/keys")).unwrap();
        let jwk = set.find(&header.kid.unwrap()).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[self.provider.issuer()]);
        validation.set_audience(&[&self.provider.client_id]);
        Ok(decode::<Value>(token, &DecodingKey::from_jwk(jwk)?, &validation)?.claims)
    }
}

#[test]
fn a_grant_is_a_token_that_a_careful_client_takes() {
    let client = Client::new();
    let metadata = client.get(Endpoint::Discovery.path());
    assert_eq!(metadata["issuer"], client.provider.issuer());
    let (ask, subject) = (client.visit(), Subject::new());
    for (algorithm, signed) in [(Algorithm::RS256, Signed::Own), (Algorithm::ES256, Signed::By(Algorithm::ES256))] {
        let code = client.provider.grant(&ask, Grant::new(&subject).signed(signed));
        let answer = client.redeem(&code, "");
        let claims = client.checked(answer["id_token"].as_str().unwrap(), algorithm).unwrap();
        assert_eq!((&claims["sub"], &claims["nonce"]), (&json!(subject.sub), &json!("n")));
        assert_eq!(client.provider.redeemed(&code).len(), 1);
    }
}

#[test]
fn each_fault_is_one_that_a_careful_client_sees() {
    let client = Client::new();
    let ask = client.visit();
    let right = || Grant::new(&Subject::new());
    let other = Key::rsa().unwrap().named(&client.provider.keys()[0].kid);
    let (n, e) = ("claim".to_owned(), json!("x"));
    for (what, grant) in [
        ("a bit", right().spoilt(Spoilt::Bit)),
        ("a claim", right().spoilt(Spoilt::Payload((n, Some(e))))),
        ("no signature", right().spoilt(Spoilt::Signature(String::new()))),
        ("another key", right().signed(Signed::Other(other, Algorithm::RS256))),
        ("a secret", right().signed(Signed::Secret(client.provider.client_secret.clone().into_bytes()))),
        ("issuer", right().claim("iss", "https://other.test")),
        ("audience", right().no_claim("aud").claim("aud", "other")),
        ("expired", right().claim("exp", super::now() - 600)),
    ] {
        let token = client.provider.id_token(&ask, &grant).unwrap();
        assert!(client.checked(&token, Algorithm::RS256).is_err(), "{what}: {token}");
    }
}

#[test]
fn a_verifier_is_asked_for_where_the_grant_says_so() {
    let client = Client::new();
    let code = client.provider.grant(&client.visit(), Grant::new(&Subject::new()).proof());
    assert_eq!(client.redeem(&code, "")["error"], "invalid_grant");
    assert_eq!(client.redeem(&code, "&code_verifier=other")["error"], "invalid_grant");
    assert!(client.redeem(&code, "&code_verifier=verifier")["id_token"].is_string());
    assert_eq!(client.redeem("unknown", "")["error"], "invalid_grant");
}

#[test]
fn a_wrong_certificate_is_not_trusted() {
    let client = Client::new();
    for paper in [Paper::OtherAuthority, Paper::OtherName, Paper::Expired] {
        client.provider.show(&client.authority, paper).unwrap();
        assert!(client.ask("GET /keys HTTP/1.1\r\n\r\n").is_err(), "{paper:?}");
    }
    client.provider.show(&client.authority, Paper::Right).unwrap();
    assert!(client.get("/keys")["keys"].is_array());
}

#[test]
fn an_endpoint_acts_as_it_is_told() {
    let client = Client::new();
    let flood = Manner::Floods(super::Reply::json(200, &json!({})), 1 << 20);
    client.provider.act(Endpoint::Keys, Some(flood));
    assert_eq!(client.ask("GET /keys HTTP/1.1\r\n\r\n").unwrap().len(), 2 + (1 << 20));
    client.provider.act(Endpoint::Keys, None);
    client.provider.describe("jwks_uri", None);
    assert!(client.get(Endpoint::Discovery.path()).get("jwks_uri").is_none());
}

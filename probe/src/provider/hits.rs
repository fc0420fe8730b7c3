//! What a provider was asked.

use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Endpoint;

/// One request.
#[derive(Clone, Debug)]
pub struct Hit {
    pub endpoint: Option<Endpoint>,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Hit {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The fields of its form; of one that stands there twice, the last.
    pub fn fields(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    pub fn field(&self, name: &str) -> Option<String> {
        self.fields().remove(name)
    }

    /// The client's name and secret, if it says them: in the `Authorization` header, or in the form.
    pub fn client(&self) -> Option<(String, String)> {
        self.basic().or_else(|| Some((self.field("client_id")?, self.field("client_secret")?)))
    }

    /// Both are form-encoded before they are put together (RFC 6749, 2.3.1).
    pub fn basic(&self) -> Option<(String, String)> {
        let given = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(given.trim()).ok()?).ok()?;
        let (name, secret) = text.split_once(':')?;
        Some((decoded(name)?, decoded(secret)?))
    }

    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

fn decoded(text: &str) -> Option<String> {
    let pair = format!("x={text}");
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}

impl crate::test::Seen for Hit {
    fn seen(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.target);
        for (name, value) in &self.headers {
            _ = writeln!(text, "{name}: {value}");
        }
        format!("{text}\n{}", self.body)
    }
}

impl crate::test::Seen for Vec<Hit> {
    fn seen(&self) -> String {
        let hits: Vec<String> = self.iter().map(crate::test::Seen::seen).collect();
        format!("{} requests\n{}", hits.len(), hits.join("\n---\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::Hit;

    #[test]
    fn a_client_is_read_from_the_header_or_the_form() {
        let hit = |headers: Vec<(String, String)>, body: &str| Hit {
            endpoint: None,
            method: "POST".into(),
            target: "/token".into(),
            headers,
            body: body.into(),
        };
        let basic = hit(vec![("Authorization".into(), "Basic YSUyQmI6YytkJTNE".into())], "code=x");
        assert_eq!(basic.client(), Some(("a+b".into(), "c d=".into())));
        let form = hit(vec![], "client_id=a&client_secret=b%20c&code=x");
        assert_eq!((form.client(), form.field("code")), (Some(("a".into(), "b c".into())), Some("x".into())));
        assert_eq!(hit(vec![], "client_id=a").client(), None);
    }
}

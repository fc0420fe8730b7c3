//! An authorization request, as a browser brings it to a provider.

use anyhow::{Context as _, Result};
use url::Url;

#[derive(Clone, Debug)]
pub struct Ask {
    pub url: Url,
    pub client_id: String,
    pub redirect_uri: String,
    pub state: String,
    pub nonce: Option<String>,
    pub challenge: Option<String>,
    pub acr: Option<String>,
}

impl Ask {
    /// # Errors
    /// When it is no URL, or lacks what no provider can do without.
    pub fn parse(location: &str) -> Result<Self> {
        let url = Url::parse(location).with_context(|| format!("`{location}` is no address"))?;
        let one = |name: &str| values(&url, name).into_iter().next();
        let must = |name: &str| one(name).with_context(|| format!("an authorization request without `{name}`: {url}"));
        Ok(Self {
            client_id: must("client_id")?,
            redirect_uri: must("redirect_uri")?,
            state: must("state")?,
            nonce: one("nonce"),
            challenge: one("code_challenge"),
            acr: one("acr_values"),
            url,
        })
    }

    /// The values of a parameter, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        values(&self.url, name)
    }

    /// Whether it asks for somebody who signs in now.
    pub fn wants_fresh(&self) -> bool {
        !self.all("max_age").is_empty() || self.all("prompt").iter().any(|prompt| prompt == "login")
    }
}

fn values(url: &Url, name: &str) -> Vec<String> {
    url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::Ask;

    #[test]
    fn a_request_is_read_and_one_without_state_is_none() {
        let ask =
            Ask::parse("https://op.test/a?client_id=c&redirect_uri=https%3A%2F%2Fapp.test%2Fcb&state=s&prompt=login");
        let ask = ask.unwrap();
        assert_eq!((ask.redirect_uri.as_str(), ask.state.as_str()), ("https://app.test/cb", "s"));
        assert!(ask.wants_fresh() && ask.nonce.is_none());
        let error = Ask::parse("https://op.test/a?client_id=c&redirect_uri=x").unwrap_err();
        assert!(error.to_string().contains("`state`"), "{error}");
    }
}

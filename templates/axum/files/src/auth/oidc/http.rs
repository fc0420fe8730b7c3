//! Calls to providers: TLS that is verified, no redirects, little patience, small answers
//! (ASVS 12.3.2, 15.3.2, 13.2.6).

use std::{fmt, future::Future, pin::Pin, time::Duration};

use [= import.openidconnect =]::{
    AsyncHttpClient, HttpRequest, HttpResponse, http,
    reqwest::{self, Client, Response, redirect::Policy},
    url::Url,
};

use super::settings::{Settings, is_safe};
use crate::auth::settings::StartError;

/// More than any description, set of keys or token takes.
const MAX_ANSWER: usize = 1 << 20;

pub struct Http {
    client: Client,
    timeout: Duration,
    development: bool,
}

/// Why a call brought nothing. The text names no token: those are never in an address.
#[derive(Debug)]
pub enum HttpError {
    Insecure,
    Slow,
    TooLarge,
    Status(u16),
    Failed(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insecure => f.write_str("an address without TLS"),
            Self::Slow => f.write_str("no answer in time"),
            Self::TooLarge => f.write_str("an answer of more than a MiB"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        // The cause says what the top only calls an error: a certificate, a refused connection.
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Self::Failed(format!("{error}{}", cause.unwrap_or_default()))
    }
}

impl Http {
    pub fn new(settings: &Settings) -> Result<Self, StartError> {
        let builder = Client::builder()
            // An answer must not choose who else is called (SSRF).
            .redirect(Policy::none())
            .connect_timeout(settings.timeout)
            .user_agent(env!("CARGO_PKG_NAME"));
        let trust = |builder: reqwest::ClientBuilder, root: &reqwest::Certificate| {
            builder.add_root_certificate(root.clone())
        };
        let client = settings.roots.iter().fold(builder, trust).build();
        Ok(Self {
            client: client.map_err(|error| StartError::Io(std::io::Error::other(error)))?,
            timeout: settings.timeout,
            development: settings.development,
        })
    }

    /// Sends one request. Redirects and failures of the server are errors; what the client did wrong
    /// is left to the caller to read.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| HttpError::Insecure)?;
        if !is_safe(&url, self.development) {
            return Err(HttpError::Insecure);
        }
        let work = async {
            let response = self.client.execute(request.try_into()?).await?;
            let status = response.status();
            if status.is_redirection() || status.is_server_error() {
                return Err(HttpError::Status(status.as_u16()));
            }
            let mut answer = http::Response::new(Vec::new());
            *answer.status_mut() = status;
            *answer.headers_mut() = response.headers().clone();
            *answer.body_mut() = read(response).await?;
            Ok(answer)
        };
        let patient = tokio::time::timeout(self.timeout, work);
        patient.await.unwrap_or(Err(HttpError::Slow))
    }
[%- if 'github' in providers %]

    /// Reads JSON that an access token opens.
    pub async fn json<T: serde::de::DeserializeOwned>(
        &self,
        url: &str,
        token: &[= import.openidconnect =]::AccessToken,
    ) -> Result<T, HttpError> {
        let mut bearer = http::HeaderValue::from_str(&format!("Bearer {}", token.secret()))
            .map_err(|_| HttpError::Failed("an access token that no header can hold".to_owned()))?;
        bearer.set_sensitive(true);
        let request = http::Request::get(url)
            .header(http::header::AUTHORIZATION, bearer)
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|error| HttpError::Failed(error.to_string()))?;
        let answer = self.send(request).await?;
        if answer.status() != http::StatusCode::OK {
            return Err(HttpError::Status(answer.status().as_u16()));
        }
        serde_json::from_slice(answer.body())
            .map_err(|_| HttpError::Failed("an answer of another shape".to_owned()))
    }
[%- endif %]
}

async fn read(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

//! Mail leaves from a queue, never from a request: an answer takes as long whether or not a mail
//! follows from it, and a mail server that is down fails no request.

use std::{future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use [= import.lettre =]::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use tokio::sync::{Semaphore, mpsc};

use super::{
    problem::Problem,
    settings::{Outbox, Settings, StartError},
    tokens,
};

const QUEUE: usize = 1024;
const PARALLEL: usize = 16;
const RETRY_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// One mail to one address.
pub struct Letter {
    to: String,
    subject: String,
    text: String,
}

type Job = Pin<Box<dyn Future<Output = Result<Option<Letter>, Problem>> + Send>>;

pub struct Mail(mpsc::Sender<Job>);

/// A reserved place in the queue. Taken before a request changes anything, so that a full queue
/// refuses everybody alike.
pub struct Slot(mpsc::OwnedPermit<Job>);

impl Mail {
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let postman = Arc::new(Postman {
            from: settings.mail_from.clone(),
            transport: Transport::new(&settings.outbox)?,
        });
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(work(receiver, postman));
        Ok(Self(sender))
    }

    pub fn slot(&self) -> Result<Slot, Problem> {
        let permit = self.0.clone().try_reserve_owned();
        permit.map(Slot).map_err(|_| Problem::unavailable())
    }
}

impl Slot {
    pub fn send(self, letter: Letter) {
        self.run(async { Ok(Some(letter)) });
    }

    /// Runs `job` off the request path, in order, and sends the letter that it writes.
    pub fn run(self, job: impl Future<Output = Result<Option<Letter>, Problem>> + Send + 'static) {
        self.0.send(Box::pin(job));
    }
}

async fn work(mut jobs: mpsc::Receiver<Job>, postman: Arc<Postman>) {
    let slots = Arc::new(Semaphore::new(PARALLEL));
    while let Some(job) = jobs.recv().await {
        // A job that failed has logged why.
        let Ok(Some(letter)) = job.await else { continue };
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let postman = postman.clone();
        tokio::spawn(async move {
            postman.deliver(letter).await;
            drop(slot);
        });
    }
}

struct Postman {
    from: Mailbox,
    transport: Transport,
}

enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Files(PathBuf),
}

impl Transport {
    fn new(outbox: &Outbox) -> Result<Self, StartError> {
        match outbox {
            Outbox::Smtp(url) => AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                .map(|builder| Self::Smtp(builder.timeout(Some(Duration::from_secs(20))).build()))
                .map_err(|_| StartError::Setting {
                    name: "SMTP_URL",
                    why: "cannot be used".to_owned(),
                    fix: "Set it to smtps://USER:PASSWORD@HOST",
                }),
            Outbox::Files(folder) => {
                std::fs::create_dir_all(folder)?;
                Ok(Self::Files(folder.clone()))
            }
        }
    }

    /// The error never holds the text of the mail.
    async fn send(&self, message: Message) -> Result<(), String> {
        match self {
            Self::Smtp(smtp) => {
                let sent = smtp.send(message).await;
                sent.map(drop).map_err(|error| error.to_string())
            }
            Self::Files(folder) => {
                // In the order of their names, the newest is last.
                let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
                let path = folder.join(format!("{now}-{}.eml", tokens::random::<6>()));
                let partial = path.with_extension("partial");
                std::fs::write(&partial, message.formatted())
                    .and_then(|()| std::fs::rename(&partial, &path))
                    .map_err(|error| error.to_string())
            }
        }
    }
}

impl Postman {
    async fn deliver(&self, letter: Letter) {
        let Ok(to) = letter.to.parse::<[= import.lettre =]::Address>() else {
            tracing::error!(target: "auth", "a stored address cannot receive mail");
            return;
        };
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone());
        let Ok(message) = message else {
            tracing::error!(target: "auth", subject = letter.subject, "a mail cannot be built");
            return;
        };
        if matches!(self.transport, Transport::Files(_)) {
            eprintln!("auth: mail to {}: {}\n{}", letter.to, letter.subject, letter.text);
        }
        let mut waits = RETRY_AFTER.iter();
        while let Err(error) = self.transport.send(message.clone()).await {
            let Some(wait) = waits.next() else {
                tracing::error!(target: "auth", %error, subject = letter.subject, "a mail was given up");
                return;
            };
            tracing::warn!(target: "auth", %error, "a mail failed and will be tried again");
            tokio::time::sleep(*wait).await;
        }
    }
}

/// The mails. Links start with the configured base URL, whatever `Host` a request had (ASVS 4.1.3);
/// the only user data in a text is the link's token.
impl Letter {
    fn new(settings: &Settings, to: &str, subject: &str, text: String) -> Self {
        Self {
            to: to.to_owned(),
            subject: format!("{}: {subject}", settings.app_name),
            text,
        }
    }

    pub fn verify(settings: &Settings, to: &str, token: &str) -> Self {
        let link = format!("{}/auth/verify?token={token}", settings.base_url);
        let text = format!(
            "Open this link to confirm your address:\n\n{link}\n\n\
             If you did not sign up, ignore this mail: nothing happens without the password.\n"
        );
        Self::new(settings, to, "confirm your address", text)
    }

    /// Holds no link with a token: whoever asked may be a stranger.
    pub fn already_registered(settings: &Settings, to: &str) -> Self {
[%- if ui == 'pages' %]
        let text = format!(
            "Somebody, perhaps you, tried to sign up with this address. It has an account \
             already; nothing was changed.\n\nIf it was you and the password is lost, ask \
             for a new one:\n\n{}/auth/password/forgot\n",
            settings.base_url
        );
        Self::new(settings, to, "you have an account", text)
[%- else %]
        let text = "Somebody, perhaps you, tried to sign up with this address. It has an account \
                    already; nothing was changed.\n\nIf it was you and the password is lost, ask \
                    for a new one on the sign-in page.\n";
        Self::new(settings, to, "you have an account", text.to_owned())
[%- endif %]
    }

    pub fn reset(settings: &Settings, to: &str, token: &str) -> Self {
        let link = format!("{}/auth/password/reset?token={token}", settings.base_url);
        let text = format!(
            "Open this link to choose a new password:\n\n{link}\n\n\
             If you did not ask for it, ignore this mail: your password stays as it is.\n"
        );
        Self::new(settings, to, "choose a new password", text)
    }

    /// To the new address; the account keeps the old one until the link is used.
    pub fn email_change(settings: &Settings, to: &str, token: &str) -> Self {
        let link = format!("{}/auth/email/confirm?token={token}", settings.base_url);
        let text = format!(
            "Open this link to make this the address of your account:\n\n{link}\n\n\
             It works where you are signed in. If you did not ask for it, ignore this mail.\n"
        );
        Self::new(settings, to, "confirm your new address", text)
    }

    /// Tells the owner of something that concerns the security of the account (ASVS 6.3.7).
    pub fn notice(settings: &Settings, to: &str, what: &str, at: &str, ip: &str) -> Self {
        let text = format!(
            "{what}\n\nTime: {at}\nAddress: {ip}\n\n\
[%- if ui == 'pages' %]
             If this was not you, ask for a new password:\n\n{}/auth/password/forgot\n",
            settings.base_url
[%- else %]
             If this was not you, ask for a new password on the sign-in page.\n"
[%- endif %]
        );
        Self::new(settings, to, "security notice", text)
    }
}

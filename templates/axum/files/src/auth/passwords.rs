//! Which passwords are accepted, and how they are stored.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use [= import.argon2 =]::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use [= import.unicode_normalization =]::UnicodeNormalization;
use [= import.zxcvbn =]::{Score, zxcvbn};

use super::{
    problem::Problem,
    settings::{Settings, StartError},
    tokens,
};

const TAG_BYTES: usize = 32;

/// What one hash costs an attacker, and this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// argon2id with 19 MiB, 2 passes, 1 lane: a row of the floor in ASVS 5.0 appendix C. No setting
    /// lowers it. Raise it here; a stored password follows at its owner's next login.
    pub const STANDARD: Self = Self {
        memory_kib: 19_456,
        passes: 2,
        lanes: 1,
    };
}

/// NIST SP 800-63B-4 3.1.1.2 asks for at least 64; the byte limit bounds the work of normalising.
const MAX_CHARS: usize = 256;
const MAX_BYTES: usize = 1024;
const ESTIMATED_CHARS: usize = 40;

/// A password in Unicode NFC: never trimmed, folded or cut (NIST SP 800-63B-4 3.1.1.2).
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub fn new(input: &str) -> Result<Self, Problem> {
        if input.len() > MAX_BYTES {
            return Err(Problem::password_too_long());
        }
        Ok(Self(input.nfc().collect()))
    }

    fn check_policy(&self, min_chars: usize, words: &[&str]) -> Result<(), Problem> {
        let chars = self.0.chars().count();
        if chars < min_chars {
            return Err(Problem::password_too_short());
        }
        if chars > MAX_CHARS {
            return Err(Problem::password_too_long());
        }
        if BLOCKLIST.contains(self.0.to_lowercase().as_str()) {
            return Err(Problem::password_common());
        }
        if is_contextual(&self.0, words) {
            return Err(Problem::password_contextual());
        }
        if self.is_guessable(chars, words) {
            return Err(Problem::password_guessable());
        }
        Ok(())
    }

    /// Fewer than about 10^8 guesses by an attacker who knows dictionaries and patterns. The work
    /// grows much faster than the length, so of a long password both ends are looked at: it is as
    /// hard to guess as its harder end, at least.
    fn is_guessable(&self, chars: usize, words: &[&str]) -> bool {
        let start: String = self.0.chars().take(ESTIMATED_CHARS).collect();
        let end: String = self.0.chars().skip(chars.saturating_sub(ESTIMATED_CHARS)).collect();
        let is_weak = |text: &str| zxcvbn(text, words).score() < Score::Three;
        is_weak(&start) && (chars <= ESTIMATED_CHARS || is_weak(&end))
    }
}

/// Common passwords that meet the length policy, in lower case (ASVS 6.2.4).
static BLOCKLIST: LazyLock<HashSet<String>> = LazyLock::new(|| {
    include_str!("common_passwords.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("#!comment:"))
        .map(|line| line.nfc().collect::<String>().to_lowercase())
        .collect()
});

/// True if the letters of the password are one of the words, once or repeated (ASVS 6.2.11). A
/// password that merely contains a word is fine.
fn is_contextual(password: &str, words: &[&str]) -> bool {
    let letters = letters_of(password);
    words.iter().map(|word| letters_of(word)).any(|word| {
        word.len() > 2
            && letters.len() >= word.len()
            && letters.len().is_multiple_of(word.len())
            && letters == word.repeat(letters.len() / word.len())
    })
}

/// The words that an attacker would try first for this account.
fn context_of(settings: &Settings, email: &str) -> Vec<String> {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let host = settings.base_url.split_once("://").map_or("", |(_, host)| host);
    let mut words: Vec<String> = [email, local, domain, host, &settings.app_name]
        .into_iter()
        .map(str::to_owned)
        .collect();
    words.extend(local.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
    words
}

fn letters_of(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Hashes passwords outside the async threads, a bounded number at a time: each takes 19 MiB.
pub struct Hasher {
    slots: Arc<Semaphore>,
    cost: Cost,
    /// Verified when an account does not exist, so that the answer takes as long (ASVS 6.3.8).
    decoy: String,
}

impl Hasher {
    const MAX_WAIT: Duration = Duration::from_secs(10);

    pub fn new(cost: Cost) -> Result<Self, StartError> {
        let slots = std::thread::available_parallelism().map_or(2, |n| n.get());
        let decoy = hash(cost, &tokens::random::<32>()).ok_or(StartError::Hashing)?;
        LazyLock::force(&BLOCKLIST);
        Ok(Self {
            slots: Arc::new(Semaphore::new(slots)),
            cost,
            decoy,
        })
    }

    /// Checks a new password for an account and hashes it.
    pub async fn hash_new(
        &self,
        password: &Password,
        settings: &Settings,
        email: &str,
    ) -> Result<String, Problem> {
        let password = password.clone();
        let min_chars = usize::try_from(settings.policy.password_min).unwrap_or(MAX_CHARS);
        let (words, cost) = (context_of(settings, email), self.cost);
        self.run(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            password.check_policy(min_chars, &words)?;
            hash(cost, &password.0).ok_or(Problem::unavailable())
        })
        .await?
    }

    pub async fn hash(&self, password: &Password) -> Result<String, Problem> {
        let (password, cost) = (password.clone(), self.cost);
        self.run(move || hash(cost, &password.0))
            .await?
            .ok_or(Problem::unavailable())
    }

    /// Compares with the stored hash, or does the same work against the decoy and says no.
    pub async fn verify(&self, password: &Password, stored: Option<&str>) -> Result<bool, Problem> {
        let password = password.clone();
        let exists = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let cost = self.cost;
        let matches = self
            .run(move || {
                // With the parameters in `stored`; the cost is for hashes to come.
                let verified = argon2(cost)
                    .map(|argon2| argon2.verify_password(password.0.as_bytes(), stored.as_str()));
                matches!(verified, Some(Ok(())))
            })
            .await?;
        Ok(matches && exists)
    }

    /// True if the hash was made with other parameters than today's (ASVS 11.2.2).
    pub fn is_outdated(&self, stored: &str) -> bool {
        let Cost { memory_kib, passes, lanes } = self.cost;
        !stored.starts_with(&format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}$"))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let slot = timeout(Self::MAX_WAIT, self.slots.clone().acquire_owned())
            .await
            .map_err(|_| Problem::unavailable())?
            .map_err(|_| Problem::unavailable())?;
        spawn_blocking(move || {
            let _slot = slot;
            work()
        })
        .await
        .map_err(|_| Problem::unavailable())
    }
}

fn argon2(cost: Cost) -> Option<Argon2<'static>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(TAG_BYTES)).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The salt, 16 bytes, is made by the library.
fn hash(cost: Cost, password: &str) -> Option<String> {
    let hash = argon2(cost)?.hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

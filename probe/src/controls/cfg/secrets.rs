//! The application's own secrets: how strong they are, where they come from, and what they are used for.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha256};

use super::{attempt, attempts, usual, variable};
use crate::{
    app::Folder,
    client::Client,
    db::hex,
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Stop, Test},
    tree,
};

/// Secrets that are short or known do not start the application.
pub(super) fn weak_secrets(test: &mut Test<'_>) -> Outcome {
    let usual = usual(test)?;
    test.app()?.person()?;
    let name = variable(test, "secret")?;
    for (form, secret) in [("base64", random::secret()), ("hex", hex(&random::bytes(32)))] {
        let tried = attempt(test, &usual.clone().set("secret", secret))?;
        test.works("32 random bytes are a secret", tried.serves, tried.shown(form))?;
    }
    let mut weak: Vec<(String, String)> = vec![
        ("`secret`".to_owned(), "secret".to_owned()),
        ("`changeme` eight times".to_owned(), "changeme".repeat(8)),
        ("31 random bytes in base64".to_owned(), STANDARD.encode(random::bytes(31))),
        ("31 random bytes in hex".to_owned(), hex(&random::bytes(31))),
        ("16 random bytes in 32 hex digits".to_owned(), hex(&random::bytes(16))),
        ("24 random bytes in 32 characters of base64".to_owned(), STANDARD.encode(random::bytes(24))),
        ("64 times `a`".to_owned(), "a".repeat(64)),
        ("`0123456789abcdef` four times".to_owned(), "0123456789abcdef".repeat(4)),
        ("zeros in base64".to_owned(), STANDARD.encode([0; 32])),
    ];
    for (path, text) in tree::texts(test.lab.folder()?)? {
        if is_own_secret(test, &path) {
            continue;
        }
        let samples = tree::assigned(&text, &name).into_iter();
        weak.extend(samples.map(|sample| (format!("the sample of {}", path.display()), sample)));
    }
    let setups: Vec<Setup> = weak.iter().map(|(_, secret)| usual.clone().set("secret", secret)).collect();
    for ((what, secret), tried) in weak.iter().zip(attempts(test, &setups)?) {
        test.refuses("a weak secret does not start the application", tried.refused, tried.shown(what));
        test.refuses("the message names the variable", tried.output.contains(&name), tried.shown(what));
        let told = secret.len() > 16 && tried.output.contains(secret.as_str());
        test.refuses("the message does not tell the secret", !told, tried.shown(what));
    }
    Ok(())
}

/// Whether it is the file that a development start writes on this machine.
fn is_own_secret(test: &Test<'_>, path: &Path) -> bool {
    test.lab.contract.files.get("secrets").is_some_and(|own| path == Path::new(own))
}

/// A development start makes a secret of its own for each copy of the project, keeps it, and keeps it to itself.
pub(super) fn made_for_each_environment(test: &mut Test<'_>) -> Outcome {
    test.needs_start()?;
    test.app()?.person()?;
    let name = variable(test, "secret")?;
    let file = test.lab.contract.files.get("secrets").cloned();
    let file = file.ok_or_else(|| Stop::Missing("the contract has no `files.secrets`".to_owned()))?;
    for (path, text) in tree::texts(test.lab.folder()?)? {
        let made = tree::assigned(&text, &name).into_iter().find(|value| decoded(value) >= 32);
        let is_rendered = made.is_some() && !is_own_secret(test, &path);
        test.refuses("no file of the project holds a secret", !is_rendered, path.display().to_string());
    }
    let (one, two) = (Folder::new()?, Folder::new()?);
    let mut secrets = vec![];
    for folder in [&one, &two] {
        secrets.push(first_start(test, folder.path(), &file, &name)?);
    }
    test.refuses("two copies of the project have different secrets", secrets[0] != secrets[1], "both have the same");
    Ok(())
}

/// A development start in a copy of the project, and another; gives the secret that it made.
fn first_start(test: &mut Test<'_>, folder: &Path, file: &str, name: &str) -> Outcome<String> {
    tree::copy(test.lab.folder()?, folder, &[file])?;
    git(folder, &["init", "-q"])?;
    let setup = bare(test, folder);
    let first = attempt(test, &setup)?;
    test.works("a development start makes its secret itself", first.serves, first.shown("development"))?;
    let path = folder.join(file);
    let written = fs::read_to_string(&path).unwrap_or_default();
    let secret = tree::assigned(&written, name).pop().unwrap_or_default();
    let at = format!("{file} after the first development start");
    test.works("the secret is in the file that the contract names", !secret.is_empty(), at.as_str())?;
    test.refuses("the secret has 32 bytes", decoded(&secret) >= 32, at.as_str());
    let mode = fs::metadata(&path).map_or(0o777, |data| data.permissions().mode());
    test.refuses("only its owner reads it", mode.trailing_zeros() >= 6, format!("{file} has mode {:o}", mode & 0o777));
    let ignored = git(folder, &["check-ignore", "-q", file])?.0;
    test.refuses("git ignores it", ignored, at.as_str());
    let second = attempt(test, &setup)?;
    test.works("a second start works", second.serves, second.shown("development"))?;
    let kept = fs::read_to_string(&path).unwrap_or_default();
    test.refuses("a second start keeps it", kept == written, at.as_str());
    for said in [&first.output, &second.output] {
        test.refuses("the log does not tell it", !said.contains(&secret), said.as_str());
    }
    git(folder, &["add", "-A"])?;
    let tracked = git(folder, &["ls-files", "-z"])?.1;
    for path in tracked.split('\0').filter(|path| !path.is_empty()) {
        let bytes = fs::read(folder.join(path)).unwrap_or_default();
        let holds = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        test.refuses("no file that git keeps holds it", !holds, path);
    }
    Ok(secret)
}

/// A development start that is told nothing but where its database is.
fn bare(test: &Test<'_>, folder: &Path) -> Setup {
    let mut setup = Setup { development: true, folder: Some(folder.to_owned()), ..Setup::default() };
    for setting in ["secret", "base_url", "smtp_url", "mail_from", "trusted_proxies"] {
        if let Ok(variable) = variable(test, setting) {
            setup = setup.variable(&variable, None);
        }
    }
    setup
}

/// Runs git there; whether it succeeded, and what it wrote.
fn git(folder: &Path, arguments: &[&str]) -> Outcome<(bool, String)> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().map_err(|error| Stop::NotRun(format!("git cannot be run: {error}")))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Bytes that the text stands for in hex or base64.
fn decoded(text: &str) -> usize {
    if text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text.len() / 2;
    }
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len())
}

/// The secret itself opens nothing, and another one takes its place without breaking anything.
pub(super) fn keys_are_apart(test: &mut Test<'_>) -> Outcome {
    let bytes = random::bytes(32);
    let secret = STANDARD.encode(&bytes);
    let app = test.boot(&Setup::default().set("secret", &secret))?;
    let (person, client) = app.member()?;
    let id = client.copy().me()?.value("id").unwrap_or_default();
    let whom = [person.email.clone(), id];
    for forged in forged(&bytes, &secret, &whom) {
        opens_nothing(test, &client, &forged)?;
    }
    stored_under_other_keys(test, &app, &bytes, &secret, &whom)?;
    let live = client.session().unwrap_or_default();
    let token = mailed(&app, &person)?;
    // The same accounts under another secret.
    let mut next = Setup::default().with_people_of(&app)?;
    let old_secrets = test.lab.start_table()?.environment.contains_key("old_secrets");
    if old_secrets {
        next = next.set("old_secrets", &secret);
    }
    let rotated = test.boot(&next)?;
    let again = rotated.client().enter(&person)?;
    test.works("after a change of the secret people sign in", again.succeeded(), &again)?;
    let mut before = rotated.client().with_session(Some(&live));
    let answer = before.me()?;
    test.refuses("a session from before goes on, or is refused cleanly", !answer.broke(), &answer);
    if !answer.succeeded() && !old_secrets {
        return Err(Stop::Missing(
            "sessions end with the secret, and the contract has no setting `old_secrets` for a change of it".to_owned(),
        ));
    }
    test.refuses("a session from before goes on", answer.succeeded(), &answer);
    if let Some(token) = token {
        let answer = rotated.client().reset(&token, &random::password())?;
        test.refuses("a mailed link from before goes on", answer.succeeded(), &answer);
    }
    Ok(())
}

/// Not as a session, a mailed link, a way back from a provider or a refresh token.
fn opens_nothing(test: &mut Test<'_>, client: &Client, forged: &str) -> Outcome {
    let app = client.app.clone();
    let answer = client.with_session(Some(forged)).me()?;
    test.refuses("nothing made with the secret is a session", answer.denied(), &answer);
    if app.has_passwords() {
        let answer = app.client().reset(forged, &random::password())?;
        test.refuses("nothing made with the secret is a mailed link", answer.denied(), &answer);
    }
    if !app.providers.is_empty() {
        let answer = app.client().send(&app.strayed(&[("code", "none"), ("state", forged)])?)?;
        test.refuses("nothing made with the secret is a way back from a provider", answer.denied(), &answer);
    }
    if test.has("tokens") {
        let answer = app.refresh(forged)?;
        test.refuses("nothing made with the secret is a refresh token", answer.denied(), &answer);
    }
    Ok(())
}

/// A link to a new password; none where there are no passwords.
pub(super) fn mailed(app: &Arc<App>, person: &Person) -> Outcome<Option<String>> {
    if !app.has_passwords() {
        return Ok(None);
    }
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 1).map(Some)
}

/// What somebody would make who knows the secret but not what it is used for.
fn forged(bytes: &[u8], secret: &str, whom: &[String; 2]) -> Vec<String> {
    let mut forged = vec![secret.to_owned(), hex(bytes), URL_SAFE_NO_PAD.encode(bytes)];
    for who in whom {
        forged.push(URL_SAFE_NO_PAD.encode(hmac(bytes, who.as_bytes())));
        let label = hmac(&hmac(&[0; 32], bytes), b"session\x01");
        forged.push(URL_SAFE_NO_PAD.encode(hmac(&label, who.as_bytes())));
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = format!(r#"{{"sub":"{who}","email":"{who}","exp":4102444800}}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        forged.push(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac(bytes, signed.as_bytes()))));
        let sealed = format!("{who}.{}", URL_SAFE_NO_PAD.encode(hmac(bytes, who.as_bytes())));
        forged.push(sealed);
    }
    forged
}

/// The database holds no hash of address or account that the secret alone makes.
fn stored_under_other_keys(
    test: &mut Test<'_>,
    app: &Arc<App>,
    bytes: &[u8],
    secret: &str,
    whom: &[String; 2],
) -> Outcome {
    // Something that is stored under a key: counters of failures, or of visits to a provider.
    let stranger = Person { email: whom[0].clone(), ..Person::new() };
    app.client().call(&app.way_in(&stranger)?)?;
    let mut plain = vec![];
    for who in whom {
        let whats = ["", "account\0", "mail\0", "login\0", "account:", "mail:", "login:", "email:"];
        for text in whats.iter().map(|what| format!("{what}{who}")) {
            plain.extend([bytes, secret.as_bytes()].map(|key| hex(&hmac(key, text.as_bytes()))));
        }
    }
    let held = app.database()?.dump()?;
    let direct = held.iter().find(|(_, _, value)| plain.iter().any(|hash| value.contains(hash.as_str())));
    let seen = direct.map_or(String::new(), |(table, column, value)| format!("{table}.{column}: {value}"));
    test.refuses("what is stored is made with keys of a purpose, not with the secret", direct.is_none(), seen);
    Ok(())
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    let digest = Sha256::digest(key);
    let key: &[u8] = if key.len() > block.len() { &digest } else { key };
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{decoded, hmac};
    use crate::db::hex;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let made = hex(&hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(made, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn bytes_are_counted_not_characters() {
        assert_eq!(decoded("00ff00ff"), 4);
        assert_eq!(decoded("AAAA_-+/AAA="), 8);
        assert_eq!(decoded("not base64!"), 0);
    }
}

//! What the pages say. Nothing that a request holds is repeated, so a link cannot put words into
//! this site's mouth.

use super::form::Kind;
use crate::auth::{problem::Problem, settings::Settings};

pub const NOWHERE: (&str, &str) = (
    "There is no such page",
    "Check the address. If you followed a link, go back and try another.",
);

[% if module.password -%]
pub const WRONG_PASSWORD: &str = "Check the password and try again.";

[% endif -%]
/// The kinds of field that a problem is about.
pub fn kinds_of(problem: &Problem) -> &'static [Kind] {
    match problem.code() {
        "email_invalid" | "email_unchanged" => &[Kind::Email, Kind::NewEmail],
        "password_required" | "invalid_credentials" => &[Kind::Password],
        code if code.starts_with("password_") => &[Kind::NewPassword],
        _ => &[],
    }
}

/// The title of a page about a problem.
pub fn title(problem: &Problem) -> &'static str {
    match problem.code() {
        "token_invalid" => "This link does not work any more",
        "too_many_requests" => "Too many attempts",
        "foreign_request" => "The request was stopped",
        "unavailable" => "This does not work right now",
[%- if module.oidc %]
        "oidc_refused" | "provider_unavailable" => "The sign-in did not work",
        "account_exists" => "You have an account already",
[%- endif %]
        _ => "That did not work",
    }
}

/// Where to go from a page about a problem.
pub fn ways_on(problem: Option<&Problem>) -> &'static [(&'static str, &'static str)] {
    match problem.map(Problem::code) {
[%- if module.password %]
        Some("token_invalid") => &[
            ("/auth/verify/resend", "Send the confirmation again"),
            ("/auth/password/forgot", "Ask for a new password"),
            ("/auth/login", "Go to the sign-in page"),
        ],
[%- endif %]
[%- if module.oidc %]
        Some("oidc_refused" | "provider_unavailable" | "account_exists" | "email_unverified") => {
            &[("/auth/login", "Go to the sign-in page")]
        }
        Some("identity_taken" | "last_login_method") => {
            &[("/auth/identities", "Go back to your ways to sign in")]
        }
[%- endif %]
        _ => &[("/", "Go to the start page")],
    }
}

/// What happened and what to do about it.
pub fn advice(problem: &Problem, [% if not module.password %]_[% endif %]settings: &Settings) -> String {
    match problem.code() {
[%- if module.password %]
        "password_too_short" => {
            let min = settings.policy.password_min;
            format!("Choose a longer password: at least {min} characters.")
        }
[%- endif %]
        "too_many_requests" => {
            let wait = problem.retry_after().map_or_else(|| "a while".to_owned(), duration);
            format!("There were too many attempts. Wait {wait}, then try again.")
        }
        code => sentence(code).unwrap_or(problem.title()).to_owned(),
    }
}

fn sentence(code: &str) -> Option<&'static str> {
    Some(match code {
        "email_invalid" => "Enter an e-mail address like name@example.com.",
        "email_unchanged" => "This is your address already. Enter another one.",
[%- if module.oidc %]
        "email_unverified" => {
[%- if module.password %]
            "Confirm your address first: open the link that we mailed to you, or confirm it at the \
             provider that you sign in with."
[%- else %]
            "Confirm your address first, at the provider that you sign in with."
[%- endif %]
        }
        "oidc_refused" => "Nothing was changed. Begin again from the sign-in page.",
        "provider_unavailable" => {
            "The provider does not answer as it should. Try again in a few minutes."
        }
        "account_exists" => {
            "It has the address that the provider named. Sign in to it as you did before, then \
             connect the provider under “Ways to sign in”."
        }
        "identity_taken" => {
            "That sign-in opens another account, or yours is connected with another one of this \
             provider."
        }
        "last_login_method" => "Nothing else would open your account. [% if module.password %]Choose a password[% else %]Connect another provider[% endif %] first.",
[%- else %]
        "email_unverified" => "Confirm your address first: open the link that we mailed to you.",
[%- endif %]
[%- if module.password %]
        "password_too_long" => "Choose a shorter password: at most 256 characters.",
        "password_common" => "Choose another password: attackers try this one first.",
        "password_contextual" => {
            "Choose another password: this one is made of your address or of this site’s name."
        }
        "password_guessable" => {
            "Choose another password: this one is easy to guess. Some unrelated words work well."
        }
        "password_required" => "Enter the password that you chose when you signed up.",
        "invalid_credentials" => "Check the address and the password, and try again.",
        "token_invalid" => "It was used before, or it has expired. Ask for a new mail.",
[%- endif %]
        "foreign_request" => {
            "It did not come from a page of this site. Open the page again and repeat what you did."
        }
        "unavailable" => "Nothing was changed. Try again in a few minutes.",
        "body_too_large" => "What you sent is too long. Go back and shorten it.",
        "invalid_fields" | "malformed_request" => {
            "What was sent cannot be read. Go back, fill in every field and try again."
        }
        _ => return None,
    })
}

/// What an empty field asks for.
pub const fn empty(kind: Kind) -> &'static str {
    match kind {
        Kind::Email | Kind::NewEmail => "Enter an e-mail address.",
        Kind::Password => "Enter your password.",
        Kind::NewPassword => "Enter a new password.",
        Kind::Consent => "Tick the box if you are sure.",
    }
}

[% if module.password -%]
pub fn password_rules(settings: &Settings) -> String {
    let min = settings.policy.password_min;
    format!(
        "At least {min} characters, of any kind, spaces too: a few unrelated words, or what a \
         password manager makes."
    )
}

[% endif -%]
/// What a page says after something was done, by the code in its address.
pub fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "signed-out" => "You are signed out.",
        "sign-in-again" => "Sign in, then do it again: what you sent was not saved.",
        "address-confirmed" => "Your address is confirmed.",
        "address-mailed" => {
            "Open the link in the mail to the new address. Until then, your address stays as it is."
        }
        "address-changed" => "Your address is changed. Every other device is signed out.",
        "device-signed-out" => "The device is signed out.",
        "devices-signed-out" => "Every other device is signed out.",
        "device-unknown" => "That device was signed out already.",
[%- if module.oidc %]
        "provider-connected" => "The provider is connected: it opens your account from now on.",
        "provider-disconnected" => "The provider is disconnected. Every other device is signed out.",
[%- endif %]
        "account-deleted" => "Your account is deleted.",
        "password-changed" => "Your password is changed. Other devices are signed out.",
        _ => return None,
    })
}

/// A waiting time as people say it, rounded up.
fn duration(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..=90 => (seconds, "second"),
        91..=5_400 => ((seconds + 59) / 60, "minute"),
        _ => ((seconds + 3_599) / 3_600, "hour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

//! Whom the mail of a reset goes to.

use std::sync::Arc;

use super::forgotten;
use crate::{
    controls::silence,
    lab::{App, Setup},
    people::{MAIL, Person},
    random,
    test::{Outcome, Test},
};

/// The mail goes to the address that is stored, and only for a spelling that means just that.
pub(super) fn stored_address(test: &mut Test<'_>) -> Outcome {
    // More mails to an address than usual: a limit shall not keep those back that must not be sent anyway.
    let usual = Setup::default().set("mail_address", 20);
    spellings(test, &test.boot(&usual)?)?;
    // There, `I` and `i` are not two cases of one letter.
    let turkish = usual.variable("LC_ALL", Some("tr_TR.UTF-8")).variable("LANG", Some("tr_TR.UTF-8"));
    spellings(test, &test.boot(&turkish)?)
}

/// Other letters that some case mapping or normal form makes those of the address.
const TWINS: [(&str, char, &str); 8] = [
    ("a dotless i", 'i', "\u{131}"),
    ("a dotted capital I", 'i', "\u{130}"),
    ("the sign for Kelvin", 'k', "\u{212a}"),
    ("a long s", 's', "\u{17f}"),
    ("a full-width letter", 'm', "\u{ff4d}"),
    ("an e with an accent", 'e', "e\u{301}"),
    ("a Cyrillic e", 'e', "\u{435}"),
    ("a soft hyphen", 'm', "\u{ad}m"),
];

/// Domains that look like `mail.test` or are written for it.
const DOMAINS: [(&str, &str); 4] = [
    ("a dotless i in the domain", "ma\u{131}l.test"),
    ("the domain's twin as A-label", "xn--mal-8va.test"),
    ("a full-width dot in the domain", "mail\u{ff0e}test"),
    ("an ideographic full stop in the domain", "mail\u{3002}test"),
];

fn spellings(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let tail: String = random::letters(14).chars().filter(|one| !"misek".contains(*one)).collect();
    let local = format!("mikes.{tail}");
    let person = app.account(Person { email: format!("{local}@mail.test"), ..Person::new() })?;
    forgotten(app, &person, 0)?;
    for (name, spelling) in [
        ("upper case", person.email.to_uppercase()),
        ("a capital first letter", person.email.replacen('m', "M", 1)),
        ("a space after", format!("{} ", person.email)),
    ] {
        let answer = app.client().forgot(&spelling)?;
        test.refuses(&format!("FORGOT with {name} does not break"), !answer.broke(), &answer);
    }
    silence::after_mails(app)?;
    let before = app.mail_channel()?.to(&person.email).len();
    let twins = TWINS.iter().map(|(name, letter, twin)| (*name, person.email.replacen(*letter, twin, 1)));
    let domains = DOMAINS.iter().map(|(name, domain)| (*name, format!("{local}@{domain}")));
    for (name, spelling) in twins.chain(domains) {
        let answer = app.client().forgot(&spelling)?;
        test.refuses(&format!("FORGOT with {name} does not break"), !answer.broke(), &answer);
    }
    silence::after_mails(app)?;
    let mails = app.mail_channel()?.to(&person.email);
    let seen = format!("{} mails to {} by other letters", mails.len() - before, person.email);
    test.refuses("an address of other letters finds no account", mails.len() == before, seen);
    only_stored(test, app, &person, &tail)
}

/// All mails that could be meant for the account went to the address that is stored.
fn only_stored(test: &mut Test<'_>, app: &Arc<App>, person: &Person, tail: &str) -> Outcome {
    let sink = app.mail_channel()?;
    let all = sink.wait_for(MAIL, |mail| mail.to.iter().any(|to| to.to_lowercase().contains(tail)), 2);
    let seen: Vec<String> = all.iter().map(|mail| format!("to {:?}: {}", mail.to, mail.subject)).collect();
    test.works("FORGOT mails the account", all.len() >= 2, seen.join("\n"))?;
    let stored = all.iter().all(|mail| mail.to == [person.email.clone()]);
    test.refuses(
        "a reset is mailed to the stored address, never to the spelling that was sent",
        stored,
        seen.join("\n"),
    );
    Ok(())
}

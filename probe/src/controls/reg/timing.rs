//! Times that strangers could tell accounts by.

use std::{cell::Cell, sync::Arc, thread, time::Duration};

use crate::{
    http::Answer,
    lab::{App, Setup},
    people::{Person, email},
    provider::Subject,
    random,
    test::{Outcome, Seen as _, Test},
    timing::{Times, ratio, times},
};

/// How long the mail server takes for each mail meanwhile.
const SLOW_MAIL: Duration = Duration::from_secs(2);
const ROUNDS: usize = 40;
const WARM: usize = 5;

/// Times of the classes, taken again if the first of them differ so little that the machine may be to blame.
fn settled<const N: usize>(
    rounds: usize,
    warm: usize,
    mut sample: impl FnMut(usize) -> Outcome<Duration>,
) -> Outcome<[Times; N]> {
    let first: [Times; N] = times(rounds, warm, &mut sample)?;
    let is_close = |times: &Times| (0.2..=5.0).contains(&ratio(times.median(), first[0].median()));
    if first.iter().all(|times| times.are_like(&first[0])) || !first.iter().all(is_close) {
        return Ok(first);
    }
    times(rounds, warm, sample)
}

fn medians(classes: &[&str], times: &[&Times]) -> String {
    let each = classes.iter().zip(times).map(|(class, times)| format!("{class}: {:?}", times.median()));
    format!("medians: {}", each.collect::<Vec<_>>().join(", "))
}

/// LOGIN and REGISTER take as long whether there is an account or not.
pub(super) fn login_and_registration(test: &mut Test<'_>) -> Outcome {
    let app = if test.lab.starts() { test.boot(&Setup::default())? } else { test.app()? };
    for length in [20, 80, 300] {
        login(test, &app, length)?;
    }
    test.needs_start()?;
    if !app.providers.is_empty() {
        without_password(test, &app)?;
    }
    registration(test, &app)
}

/// Guesses at one account, few enough for the others to be looked at.
const GUESSES: usize = 4;

/// An account that a provider made has no password to compare.
fn without_password(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let subjects = (0..(2 * (ROUNDS + WARM)).div_ceil(GUESSES)).map(|_| Subject::new()).collect::<Vec<_>>();
    for subject in &subjects {
        app.federated(0, subject)?;
    }
    let turns = Cell::new(0);
    let [known, unknown] = settled(ROUNDS, WARM, |class| {
        let password = random::letters(20);
        if class == 1 {
            return Ok(app.client().login(&email(), &password)?.took);
        }
        let subject = &subjects[turns.get() / GUESSES];
        turns.set(turns.get() + 1);
        Ok(app.client().login(&subject.email, &password)?.took)
    })?;
    let seen = medians(&["account", "none"], &[&known, &unknown]);
    test.refuses("LOGIN takes as long for an account that has no password", known.are_like(&unknown), seen);
    Ok(())
}

fn login(test: &mut Test<'_>, app: &Arc<App>, length: usize) -> Outcome {
    let person = app.person()?;
    app.signed_in(&person)?;
    let failures = Cell::new(0);
    let [known, unknown] = settled(ROUNDS, WARM, |class| {
        let password = random::letters(length);
        if class == 1 {
            return Ok(app.client().login(&email(), &password)?.took);
        }
        // A login that succeeds every now and then keeps the account's throttle open.
        failures.set(failures.get() + 1);
        if failures.get() % 4 == 0 {
            app.client().login(&person.email, &person.password)?;
        }
        let answer = app.client().login(&person.email, &password)?;
        Ok(answer.took)
    })?;
    let what = format!("LOGIN takes as long without an account ({length} characters)");
    test.refuses(&what, known.are_like(&unknown), medians(&["account", "none"], &[&known, &unknown]));
    let last = app.client().login(&person.email, &person.password)?;
    test.works("the throttle did not answer in LOGIN's place", last.succeeded(), &last)
}

fn registration(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let owners = (0..10).map(|_| app.person()).collect::<Outcome<Vec<_>>>()?;
    app.mail_channel()?.delay(SLOW_MAIL);
    let turns = Cell::new(0);
    let [new, taken] = settled(ROUNDS, WARM, |class| {
        let mut person = Person::new();
        if class == 1 {
            turns.set(turns.get() + 1);
            person.email.clone_from(&owners[turns.get() % owners.len()].email);
        }
        Ok(app.client().register(&person)?.took)
    })?;
    app.mail_channel()?.delay(Duration::ZERO);
    let seen = medians(&["new", "existing"], &[&new, &taken]);
    test.refuses("REGISTER takes as long for an address that has an account", new.are_like(&taken), &seen);
    let is_fast = new.median() < SLOW_MAIL && taken.median() < SLOW_MAIL;
    test.refuses("REGISTER does not wait for the mail server", is_fast, &seen);
    Ok(())
}

/// Addresses that FORGOT and RESEND are asked about.
struct Addresses {
    owners: Vec<Person>,
    waiting: Vec<Person>,
    disabled: Person,
    /// One of each kind that is asked about for the sake of its mail.
    spare: [Person; 2],
}

const CLASSES: [&str; 4] = ["has an account", "has none", "is not confirmed", "has a disabled account"];
const ASKED: usize = 20;
/// Mails to an address may be limited to a few in a minute.
const EACH: usize = 4;

impl Addresses {
    fn new(test: &Test<'_>, app: &Arc<App>, rounds: usize) -> Outcome<Self> {
        let owners = (0..rounds.div_ceil(EACH)).map(|_| app.person()).collect::<Outcome<Vec<_>>>()?;
        let disabled = app.person()?;
        test.lab.operator(app, "disable", &disabled.email)?;
        let waiting: Vec<Person> = (0..rounds).map(|_| Person::new()).collect();
        let spare = [app.person()?, Person::new()];
        for person in waiting.iter().chain(&spare[1..]) {
            app.client().register(person)?;
        }
        for person in waiting.iter().chain(&spare[1..]) {
            app.token("REGISTER", &person.email, 1)?;
        }
        Ok(Self { owners, waiting, disabled, spare })
    }

    fn of(&self, class: usize, round: usize) -> String {
        match class {
            0 => self.owners[round / EACH % self.owners.len()].email.clone(),
            1 => email(),
            2 => self.waiting[round % self.waiting.len()].email.clone(),
            _ => self.disabled.email.clone(),
        }
    }
}

fn ask(app: &Arc<App>, role: &str, email: &str) -> Outcome<Answer> {
    let answer = app.client().call(&app.role(role)?.field("email", email))?;
    // What the request left to be done shall not slow the next one.
    thread::sleep(Duration::from_millis(10));
    Ok(answer)
}

/// FORGOT and RESEND answer the same, and as fast, for every address.
pub(super) fn forgot_and_resend(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    app.member()?;
    // Those beyond are for what comes after the times were taken.
    let rounds = 2 * (ASKED + WARM) + 4;
    let addresses = Addresses::new(test, &app, rounds)?;
    let sink = app.mail_channel()?;
    sink.delay(SLOW_MAIL);
    for role in ["FORGOT", "RESEND"] {
        if same_answers(test, &app, role, &addresses)? {
            same_times(test, &app, role, &addresses)?;
        }
    }
    sink.delay(Duration::ZERO);
    mails_go_to_owners(test, &app, &addresses)?;
    sink.refuse(true);
    for role in ["FORGOT", "RESEND"] {
        let known = addresses.of(if role == "FORGOT" { 0 } else { 2 }, rounds - 1);
        let (known, unknown) = (ask(&app, role, &known)?, ask(&app, role, &email())?);
        let same = known.look() == unknown.look() && !known.broke();
        let seen = format!("{}\n{}", known.seen(), unknown.seen());
        test.refuses(&format!("{role} answers the same while no mail can be sent"), same, seen);
    }
    Ok(())
}

/// Gives whether an answer came before a mail could have been sent, so that times can be compared.
fn same_answers(test: &mut Test<'_>, app: &Arc<App>, role: &str, addresses: &Addresses) -> Outcome<bool> {
    let at = 2 * (ASKED + WARM);
    let known = ask(app, role, &addresses.of(0, at))?;
    test.works(&format!("{role} takes the address of an account"), known.succeeded(), &known)?;
    let mut is_fast = true;
    for (class, which) in CLASSES.iter().enumerate() {
        let answer = ask(app, role, &addresses.of(class, at + usize::from(role == "RESEND")))?;
        let seen = format!("{}\n{}", known.seen(), answer.seen());
        test.refuses(&format!("{role} does not tell that an address {which}"), answer.look() == known.look(), seen);
        is_fast &= answer.took < SLOW_MAIL;
    }
    test.refuses(&format!("{role} does not wait for the mail server"), is_fast, "an answer took two seconds");
    Ok(is_fast)
}

fn same_times(test: &mut Test<'_>, app: &Arc<App>, role: &str, addresses: &Addresses) -> Outcome {
    let turns = Cell::new([0_usize; CLASSES.len()]);
    let times: [Times; CLASSES.len()] = settled(ASKED, WARM, |class| {
        let mut taken = turns.get();
        let round = taken[class];
        taken[class] += 1;
        turns.set(taken);
        Ok(ask(app, role, &addresses.of(class, round))?.took)
    })?;
    for (one, which) in times.iter().zip(CLASSES) {
        let what = format!("{role} takes as long when an address {which}");
        test.refuses(&what, one.are_like(&times[0]), medians(&CLASSES, &times.each_ref()));
    }
    Ok(())
}

fn mails_go_to_owners(test: &mut Test<'_>, app: &Arc<App>, addresses: &Addresses) -> Outcome {
    let [owner, waiting] = &addresses.spare;
    ask(app, "RESEND", &owner.email)?;
    ask(app, "FORGOT", &owner.email)?;
    ask(app, "RESEND", &waiting.email)?;
    // What was asked for while mails were slow comes before.
    let sent = app.tokens("FORGOT", &owner.email, 1, 10 * SLOW_MAIL)?;
    test.works("FORGOT mails a link to the owner of an account", !sent.is_empty(), "no link came")?;
    let sent = app.tokens("RESEND", &waiting.email, 2, 10 * SLOW_MAIL)?;
    test.works("RESEND mails a link to an address that is not confirmed", sent.len() > 1, "no second link came")?;
    let owner = app.tokens("RESEND", &owner.email, 0, Duration::ZERO)?;
    test.refuses("RESEND mails nothing to confirmed addresses", owner.len() == 1, "a second link came");
    let disabled = app.mail_channel()?.to(&addresses.disabled.email);
    let tokens = app.tokens("FORGOT", &addresses.disabled.email, 0, Duration::ZERO)?;
    let seen = disabled.iter().map(crate::mail::Mail::all).collect::<String>();
    test.refuses("FORGOT mails nothing to a disabled account", tokens.is_empty(), seen);
    let all = app.mail_channel()?.all();
    let known = |to: &String| {
        let people =
            addresses.owners.iter().chain(&addresses.waiting).chain(&addresses.spare).chain([&addresses.disabled]);
        people.into_iter().any(|person| person.email == *to)
    };
    let strangers = all.iter().flat_map(|mail| &mail.to).filter(|to| !known(to)).count();
    // The account that was made first.
    test.refuses("nobody without an account gets a mail", strangers <= 1, format!("{strangers} mails"));
    Ok(())
}

//! What answers besides the declared roles.

use crate::{
    http::{Answer, Request},
    random,
    test::{Outcome, Test},
};

/// Tools of developers and operators that have no place in production.
const TOOLS: [&str; 30] = [
    "/docs",
    "/openapi.json",
    "/openapi.yaml",
    "/swagger",
    "/swagger-ui",
    "/swagger.json",
    "/redoc",
    "/graphql",
    "/graphiql",
    "/metrics",
    "/debug",
    "/debug/pprof",
    "/debug/pprof/",
    "/actuator",
    "/actuator/env",
    "/env",
    "/.env",
    "/.git/config",
    "/h2-console",
    "/__debug__",
    "/_profiler",
    "/telescope",
    "/server-status",
    "/console",
    "/admin",
    "/trace",
    "/dump",
    "/config",
    "/test",
    "/_test",
];
/// The same below the path of the roles.
const BELOW: [&str; 18] = [
    "/_test",
    "/test",
    "/dev/mails",
    "/dev/mail",
    "/dev/mailbox",
    "/dev/outbox",
    "/dev/login",
    "/mails",
    "/impersonate",
    "/debug",
    "/dump",
    "/users",
    "/openapi.yaml",
    "/openapi.json",
    "/contract.toml",
    "/docs",
    "/admin",
    "/reset-limits",
];

/// In production nothing answers but what is declared.
pub(super) fn nothing_else_answers(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, client) = app.member()?;
    let me = client.copy().me()?;
    test.works("a declared role answers", me.value("email").as_ref() == Some(&person.email), &me)?;
    let surface = app.contract.surface.clone().unwrap_or_else(|| "/auth".to_owned());
    let surface = surface.trim_end_matches('/');
    let below = BELOW.iter().chain(&TOOLS).map(|path| format!("{surface}{path}"));
    let roles = app.contract.roles.values();
    let pages = app.contract.pages.iter().flat_map(|pages| pages.only.values());
    let declared: Vec<&String> = roles.chain(pages).map(|role| &role.path).collect();
    let nowhere = client.copy().send(&Request::new("GET", &format!("/{}", random::letters(12))))?;
    test.works("a path that nobody has is not found", nowhere.status == 404, &nowhere)?;
    for path in TOOLS.iter().map(ToString::to_string).chain(below) {
        if declared.contains(&&path) {
            continue;
        }
        for method in ["GET", "POST"] {
            let call =
                Request::new(method, &path).header("Origin", &app.origin).header("Sec-Fetch-Site", "same-origin");
            let answer = client.copy().send(&call)?;
            let is_none = answer.status == 404 || is_without_slash(&answer, &path);
            test.refuses("nothing answers that is not declared", is_none, &answer);
        }
    }
    let mark = random::letters(20);
    for method in ["TRACE", "TRACK"] {
        for role in app.expected(&["LOGIN", "ME"]) {
            let request = Request::new(method, app.role(role)?.path()).header("X-Probe", &mark);
            let answer = client.copy().send(&request)?;
            let refused = matches!(answer.status, 400 | 403 | 404 | 405 | 501) && !answer.text().contains(&mark);
            test.refuses("no method gives back what was sent", refused, &answer);
        }
    }
    Ok(())
}

/// Whether the answer only takes the slash off the path's end: the path without it is asked for as well.
fn is_without_slash(answer: &Answer, path: &str) -> bool {
    let shorter = path.strip_suffix('/');
    answer.status == 308 && shorter.is_some() && answer.header("location") == shorter
}

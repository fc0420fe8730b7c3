//! A refresh token is taken at one place, in the body of a POST.

use serde_json::json;

use super::super::jwt::alive;
use crate::{
    devices::bearing,
    http::{Answer, Request},
    test::{Outcome, Test},
};

pub(super) fn one_endpoint(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (_, device) = app.device()?;
    alive(test, "a device", &device)?;
    let refresh = device.refresh.as_str();
    for role in ["API", "API_SCOPED", "ME"] {
        let answer = app.client().send(&bearing(&app.role(role)?, refresh))?;
        test.refuses(&format!("a refresh token is no bearer token for {role}"), answer.denied(), &answer);
    }
    let me = app.client().with_session(Some(refresh)).me()?;
    test.refuses("a refresh token is no session", me.denied(), &me);
    let answer = app.refresh(&device.access)?;
    test.refuses("an access token is no refresh token", answer.denied(), &answer);
    let call = app.role("TOKEN_REFRESH")?;
    let field = call.role().fields.get("refresh_token").cloned().unwrap_or_else(|| "refresh_token".to_owned());
    for (what, request) in elsewhere(call.path(), &field, refresh, &app.contract.cookies.session) {
        let answer = app.client().send(&request)?;
        refused(test, &what, &answer);
    }
    let answer = device.refreshing()?;
    test.works("the token still works where it belongs", answer.succeeded(), &answer)?;
    let set = answer.cookies().len();
    test.refuses("tokens of a body are set in no cookie", set == 0, &answer);
    Ok(())
}

fn refused(test: &mut Test<'_>, what: &str, answer: &Answer) {
    let gives = answer.text().contains("eyJ");
    test.refuses(&format!("a refresh token is not taken {what}"), answer.denied() && !gives, answer);
}

/// The token by other methods, and outside of the body.
fn elsewhere(path: &str, field: &str, token: &str, session: &str) -> Vec<(String, Request)> {
    let json = json!({ field: token }).to_string();
    let target = format!("{path}?{field}={token}");
    let typed = |request: Request| request.header("Content-Type", "application/json");
    let mut all = vec![
        ("by GET in the query".to_owned(), Request::new("GET", &target)),
        ("by GET in a body".to_owned(), typed(Request::new("GET", path)).body(json.clone())),
        ("by PUT".to_owned(), typed(Request::new("PUT", path)).body(json.clone())),
        ("by POST in the query".to_owned(), typed(Request::new("POST", &target)).body("{}")),
        ("by POST in the query, without a body".to_owned(), Request::new("POST", &target)),
        (
            "as a bearer token".to_owned(),
            typed(Request::new("POST", path)).body("{}").header("Authorization", format!("Bearer {token}")),
        ),
        ("as plain text".to_owned(), Request::new("POST", path).header("Content-Type", "text/plain").body(json)),
        (
            "as a form".to_owned(),
            Request::new("POST", path)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(format!("{field}={token}")),
        ),
    ];
    for cookie in [field, "refresh_token", session] {
        let request = typed(Request::new("POST", path)).body("{}").header("Cookie", format!("{cookie}={token}"));
        all.push((format!("in the cookie `{cookie}`"), request.header("Origin", "https://app.test")));
    }
    all
}

//! The same from pages: buttons are forms, and lead to where the API would.

use super::{super::pages::HTML, *};

/// Where a form's answer leads a browser without scripts.
fn onward(answer: &Answer) -> String {
    let refresh = answer.headers.get(header::REFRESH).map_or("", |value| value.to_str().expect("text"));
    refresh.strip_prefix("0; url=").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn oic_01_a_button_leads_to_the_provider_and_back_to_the_page() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let page = browser.open("/auth/login?next=/auth/data").await;
    assert!(page.text.contains("Continue with Test") && page.text.contains("Continue with Other"));
    let answer = browser.submit("/auth/oidc/test/start", &[("next", "/auth/data")]).await;
    assert_eq!(answer.status, 200, "a redirect would be held against form-action");
    let back = world.provider.consents(&onward(&answer));
    let answer = browser.open(&back).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/auth/data"));
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn oic_22_and_csr_03_forms_of_other_sites_begin_nothing() {
    let world = World::new().await;
    let mut ann = world.federated("s1", ANN).await;
    for (name, value) in boundary::FOREIGN {
        for what in ["start", "link", "reauth", "unlink"] {
            let path = format!("/auth/oidc/other/{what}");
            let answer = ann.clone().with(name, value).submit(&path, &[]).await;
            assert_eq!((answer.status.as_u16(), onward(&answer)), (403, String::new()), "{what} {name}: {value}");
        }
    }
    let answer = ann.submit("/auth/oidc/other/link", &[("next", "/auth/identities")]).await;
    world.other.is("s2", BOB);
    let back = world.other.consents(&onward(&answer));
    assert_eq!(ann.open(&back).await.location(), "/auth/identities");
    assert_eq!(ann.identities().await.len(), 2);
    let answer = ann.submit("/auth/oidc/other/unlink", &[]).await;
    assert_eq!(answer.location(), "/auth/identities?done=provider-disconnected");
    let answer = ann.submit("/auth/oidc/test/unlink", &[]).await;
    assert_eq!(answer.status, 409, "the last one stays");
    assert_eq!(ann.identities().await.len(), 1);
}

#[tokio::test]
async fn ses_13_a_stale_session_is_led_to_prove_itself_and_back() {
    let world = World::with(&[("AUTH_REAUTH_SECONDS", "100")]).await;
    let mut ann = world.federated("s1", ANN).await;
    world.app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 200").await;
    for path in ["/auth/oidc/other/link", "/auth/oidc/test/unlink"] {
        let answer = ann.submit(path, &[]).await;
        assert_eq!(answer.location(), "/auth/reauth?next=%2Fauth%2Fidentities", "{path}");
    }
    let page = ann.open("/auth/reauth?next=/auth/identities").await;
    assert!(page.text.contains("Continue with Test") && !page.text.contains("Continue with Other"));
    assert!(!page.text.contains("type=\"password\""), "an account without a password is not asked for one");
    let answer = ann.submit("/auth/oidc/test/reauth", &[("next", "/auth/identities")]).await;
    let back = world.provider.consents(&onward(&answer));
    assert_eq!(ann.open(&back).await.location(), "/auth/identities");
    assert_eq!(ann.submit("/auth/oidc/other/link", &[]).await.status, 200);
}

#[tokio::test]
async fn oic_25_and_27_a_refusal_is_a_page_that_repeats_nothing() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    browser.submit("/auth/oidc/test/start", &[]).await;
    let request = browser
        .request(Method::GET, "/auth/oidc/test/callback?error=access_denied&error_description=SENT-9&state=x")
        .header(header::ACCEPT, HTML);
    let answer = browser.send(request.body(Body::empty())).await;
    assert_eq!(answer.status, 400);
    assert!(answer.is_page() && !answer.text.contains("SENT-9") && !answer.text.contains("access_denied"));
    assert!(!browser.is_signed_in().await);
}

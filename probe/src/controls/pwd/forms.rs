//! Forms with passwords, as password managers see them.

use scraper::{ElementRef, Html, Selector};

use crate::{
    client::Client,
    http::Answer,
    people::Person,
    test::{Outcome, Test},
};

/// A form: the page where it stands, the role that it is of, and what a password manager may put into each field.
type Form = (Client, crate::client::Call, &'static str, &'static [(&'static str, &'static str)]);

/// Forms mask passwords, name them to password managers, and keep nobody from pasting.
pub(super) fn password_managers(test: &mut Test<'_>) -> Outcome {
    for (mut client, page, role, fields) in forms(test)? {
        let answer = client.call(&page)?;
        let is_page = answer.status == 200 && answer.header("content-type").is_some_and(|kind| kind.contains("html"));
        test.works(&format!("{role} has a page"), is_page, &answer)?;
        let names = &client.app.role(role)?.role().fields.clone();
        let html = Html::parse_document(&answer.text());
        for (field, autocomplete) in fields {
            let name = names.get(*field).map_or(*field, String::as_str);
            let input = input(&html, name);
            test.works(&format!("the page of {role} has the field `{name}`"), input.is_some(), &answer)?;
            if let Some(input) = input {
                looks_right(test, &answer, role, input, autocomplete);
            }
        }
        nothing_hinders(test, &answer, role, &html);
    }
    Ok(())
}

fn forms(test: &Test<'_>) -> Outcome<Vec<Form>> {
    let app = test.app()?;
    app.has_pages()?;
    let (person, client) = app.member()?;
    let waiting = Person::new();
    let verify = app.registered(&waiting)?;
    app.client().forgot(&person.email)?;
    let reset = app.token("FORGOT", &person.email, 1)?;
    Ok(vec![
        (app.client(), app.page("LOGIN")?, "LOGIN", &[("email", "username"), ("password", "current-password")]),
        (app.client(), app.page("REGISTER")?, "REGISTER", &[("email", "username"), ("password", "new-password")]),
        (client.copy(), app.page("REAUTH")?, "REAUTH", &[("password", "current-password")]),
        (
            client.copy(),
            app.page("PWCHANGE")?,
            "PWCHANGE",
            &[("current_password", "current-password"), ("new_password", "new-password")],
        ),
        (app.client(), app.page("RESET_PAGE")?.query("token", &reset), "RESET", &[("password", "new-password")]),
        (app.client(), app.page("VERIFY_PAGE")?.query("token", &verify), "VERIFY", &[("password", "current-password")]),
    ])
}

fn input<'a>(html: &'a Html, name: &str) -> Option<ElementRef<'a>> {
    let inputs = Selector::parse("input").ok()?;
    html.select(&inputs).find(|input| input.attr("name") == Some(name))
}

fn looks_right(test: &mut Test<'_>, page: &Answer, role: &str, input: ElementRef<'_>, autocomplete: &str) {
    let name = input.attr("name").unwrap_or_default();
    let said = input.attr("autocomplete");
    let what = format!("`{name}` of {role} has autocomplete={autocomplete}");
    // The value may be preceded by a section or by `webauthn`.
    test.refuses(&what, said.is_some_and(|said| said.split_whitespace().any(|word| word == autocomplete)), page);
    let is_password = autocomplete.ends_with("password");
    if is_password {
        test.refuses(&format!("`{name}` of {role} is masked"), input.attr("type") == Some("password"), page);
    }
    let is_open = input.attr("readonly").is_none() && input.attr("disabled").is_none();
    test.refuses(&format!("`{name}` of {role} can be filled in"), is_open, page);
    let longest = input.attr("maxlength").map(|length| length.parse::<u32>().unwrap_or(0));
    let what = format!("`{name}` of {role} takes 64 characters at least");
    test.refuses(&what, longest.is_none_or(|longest| longest >= 64), page);
}

/// No element and no script of the page listens to pasting, copying or dropping.
fn nothing_hinders(test: &mut Test<'_>, page: &Answer, role: &str, html: &Html) {
    const HANDLERS: [&str; 5] = ["onpaste", "oncopy", "oncut", "ondrop", "onbeforeinput"];
    let elements = html.tree.values().filter_map(|node| node.as_element());
    let listens = elements.flat_map(|element| element.attrs()).any(|(name, _)| HANDLERS.contains(&name));
    test.refuses(&format!("the page of {role} does not meddle with pasting"), !listens, page);
    let scripts = Selector::parse("script")
        .map(|scripts| html.select(&scripts).any(|script| script.text().any(|text| text.contains("paste"))));
    test.refuses(&format!("no script of {role} meddles with pasting"), !scripts.unwrap_or(false), page);
}

//! The same app under other names: every route, field, cookie and code, in the app and in its contract.

use std::{fs, path::Path};

use regex::{Captures, Regex};
use toml::{Table, Value};

/// Renames what a client of the app sees.
pub fn rename(app: &Path) {
    for folder in ["src/auth", "src/auth/bearer"] {
        for entry in fs::read_dir(app.join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                rewrite(&path, source);
            }
        }
    }
    rewrite(&app.join("src/auth_example.rs"), |text| source(text).replace("\"user_id\"", "\"USER_ID\""));
    rewrite(&app.join("src/auth/contract.toml"), contract);
}

fn rewrite(path: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let changed = change(&text);
    fs::write(path, changed).unwrap();
}

/// `/auth/login` becomes `/qauth/qlogin`.
fn paths(text: &str) -> String {
    let route = Regex::new(r"/auth(?:/[a-z{}-]+)*").unwrap();
    let segment = |segment: &str| if segment.starts_with('{') { segment.to_owned() } else { format!("q{segment}") };
    let renamed = |found: &Captures<'_>| {
        let segments: Vec<String> = found[0][1..].split('/').map(segment).collect();
        format!("/{}", segments.join("/"))
    };
    route.replace_all(text, renamed).into_owned()
}

fn cookies(text: &str) -> String {
    text.replace("__Host-auth-session", "__Host-who").replace("__Host-auth-browser", "__Host-where")
}

fn source(text: &str) -> String {
    let text = cookies(&paths(text)).replace("?token=", "?TOKEN=");
    // Names in bodies and queries are those of structures and of literals.
    let text = text.replace("#[derive(Deserialize)]", "#[derive(Deserialize)]\n#[serde(rename_all = \"UPPERCASE\")]");
    let listed = "#[derive(Serialize, sqlx::FromRow)]";
    let text = text.replace(listed, &format!("{listed}\n#[serde(rename_all = \"UPPERCASE\")]"));
    let key = Regex::new(r#""([a-z_]+)": "#).unwrap();
    let text = key.replace_all(&text, |found: &Captures<'_>| format!("\"{}\": ", found[1].to_uppercase()));
    text.replace("code: stringify!($code)", "code: concat!(\"q_\", stringify!($code))")
}

fn contract(text: &str) -> String {
    let mut contract: Table = cookies(text).parse().unwrap();
    for table in ["roles", "errors", "codes"] {
        let renamed = renamed(table, &contract[table]);
        contract.insert(table.to_owned(), renamed);
    }
    let failure = renamed("failure", &contract["csrf"]["failure"]);
    contract["csrf"].as_table_mut().unwrap().insert("failure".to_owned(), failure);
    toml::to_string(&contract).unwrap()
}

/// A value of the contract, by the key that it stands under.
fn renamed(key: &str, value: &Value) -> Value {
    let upper = |value: &Value| Value::from(value.as_str().unwrap().to_uppercase());
    match (key, value) {
        ("fields" | "query" | "extract", Value::Table(names)) => {
            names.iter().map(|(name, value)| (name.clone(), upper(value))).collect::<Table>().into()
        }
        ("body", Value::Table(pointers)) => {
            pointers.iter().map(|(pointer, value)| (pointer.to_uppercase(), value.clone())).collect::<Table>().into()
        }
        ("codes", Value::Table(codes)) => {
            codes.iter().map(|(name, code)| (name.clone(), renamed("code", code))).collect::<Table>().into()
        }
        (_, Value::Table(table)) => {
            table.iter().map(|(key, value)| (key.clone(), renamed(key, value))).collect::<Table>().into()
        }
        (_, Value::Array(values)) => values.iter().map(|value| renamed(key, value)).collect::<Vec<_>>().into(),
        ("path", Value::String(path)) => paths(path).into(),
        ("token", Value::String(pattern)) => paths(pattern).replace("?token=", "?TOKEN=").into(),
        ("code", Value::String(pointer)) if pointer.starts_with('/') => pointer.to_uppercase().into(),
        ("code", Value::String(code)) => format!("q_{code}").into(),
        _ => value.clone(),
    }
}

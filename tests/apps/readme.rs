//! README's first command and its account story, as they are written there.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{
    builds, cargo,
    common::{empty, must, read},
    run, turn,
};

/// The console block that holds a text.
fn block(readme: &str, holds: &str) -> String {
    let blocks = readme.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.into_iter().find(|block| block.contains(holds)).unwrap().to_owned()
}

/// Ends the app with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Ids and times differ from run to run.
fn masked(text: &str) -> String {
    let ids = regex::Regex::new(r#""(id|user_id)":"[A-Za-z0-9_-]{22}""#).unwrap();
    let times = regex::Regex::new(r"\d{10}").unwrap();
    times.replace_all(&ids.replace_all(text, r#""$1":"ID""#), "TIME").into_owned()
}

#[test]
fn the_account_story() {
    let _turn = turn();
    let readme = read(env!("CARGO_MANIFEST_DIR").as_ref(), "README.md");
    let clone = empty("clone");
    let command = block(&readme, "cargo run -- new");
    let words: Vec<&str> = command.trim().strip_prefix("$ cargo run -- ").unwrap().split(' ').collect();
    run(&clone.dir, &words).exits(0);
    let app = clone.dir.parent().unwrap().join("shop");
    cargo(&app, &["build", "--offline"]);

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = app.join("shop.log");
    let file = File::create(&log).unwrap();
    let binary = builds().join("authwright/debug/app");
    let started = Command::new(binary)
        .current_dir(&app)
        .envs([("AUTH_ENV", "development"), ("ADDR", &format!("127.0.0.1:{port}"))])
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let _running = Running(started);
    let banner = block(&readme, "AUTH_ENV=development");
    let banner = banner.lines().last().unwrap().replace("3000", &port.to_string());
    for _ in 0..100 {
        if read(&app, "shop.log").contains(&banner) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert!(read(&app, "shop.log").contains(&banner), "{}", read(&app, "shop.log"));

    let story = block(&readme, "post()");
    let commands: Vec<&str> = story.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let script =
        commands.join("\n").replace(":3000", &format!(":{port}")).replace("/tmp/shop.log", log.to_str().unwrap());
    let output = must(Command::new("bash").current_dir(&app).args(["-euc", &script]));
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(masked).collect::<Vec<_>>();
    let told = story.lines().filter(|line| !line.starts_with("$ ")).collect::<Vec<_>>().join("\n");
    assert_eq!(lines(&said), lines(&told));
}

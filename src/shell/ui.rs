//! The terminal: data on stdout, everything for people on stderr, prompts only where somebody can answer.
#![expect(clippy::disallowed_macros, clippy::unused_self, reason = "the one place that prints, always through a `Ui`")]

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use anstyle::AnsiColor;
pub use anstyle::Style;
use anyhow::Result;
use dialoguer::{Confirm, MultiSelect, Select, console::Term, theme::ColorfulTheme};
use serde_json::Value;

use crate::core::problem::Problem;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// How the user wants to be spoken to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ui {
    pub json: bool,
    pub quiet: bool,
    /// Questions may be asked.
    pub interactive: bool,
}

pub const HEADING: Style = Style::new().bold();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const DIM: Style = Style::new().dimmed();

/// Text in a style; whether it shows is decided where it is printed.
#[must_use]
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

impl Ui {
    #[must_use]
    pub fn new(json: bool, quiet: bool, color: Color, may_ask: bool) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        dialoguer::console::set_colors_enabled_stderr(
            anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        );
        let interactive = may_ask && !json && io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { json, quiet, interactive }
    }

    /// A line for people.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            anstream::eprintln!("{text}");
        }
    }

    /// A line that is news only while the command runs: for a terminal.
    #[cfg(feature = "probe")]
    pub fn progress(&self, text: &str) {
        if io::stderr().is_terminal() {
            self.say(text);
        }
    }

    /// A line for people that `--quiet` does not silence.
    pub fn warn(&self, text: &str) {
        anstream::eprintln!("{}: {}", paint(WARN, "warning"), printable(text));
    }

    /// Data on stdout, byte for byte. A reader that went away is no error.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn data(&self, text: &str) -> Result<()> {
        match io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Text for people that is what they asked for, so on stdout.
    ///
    /// # Errors
    /// When stdout cannot be written.
    #[cfg(feature = "probe")]
    pub fn print(&self, text: &str) -> Result<()> {
        match anstream::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The command's one JSON object.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn object(&self, mut object: Value) -> Result<()> {
        if let Some(fields) = object.as_object_mut() {
            fields.shift_insert(0, "schema".into(), 1.into());
        }
        self.data(&format!("{}\n", escaped(&format!("{object:#}"))))
    }

    /// # Errors
    /// When the user stops the command at the question.
    pub fn confirm(&self, question: &str, default: bool) -> Result<bool> {
        let theme = ColorfulTheme::default();
        answer(Confirm::with_theme(&theme).with_prompt(question).default(default).interact_opt())
            .map(|yes| yes == Some(true))
    }

    /// The index of the line picked.
    ///
    /// # Errors
    /// When the user stops the command at the question.
    pub fn select(&self, question: &str, lines: &[String], default: usize) -> Result<usize> {
        let theme = ColorfulTheme::default();
        let lines: Vec<String> = lines.iter().map(|line| printable(line)).collect();
        let select = Select::with_theme(&theme).with_prompt(question).items(&lines).default(default);
        answer(select.interact_opt())?.ok_or_else(stopped)
    }

    /// The indices of the lines picked, none at first.
    ///
    /// # Errors
    /// When the user stops the command at the question.
    pub fn select_any(&self, question: &str, lines: &[String]) -> Result<Vec<usize>> {
        let theme = ColorfulTheme::default();
        let lines: Vec<String> = lines.iter().map(|line| printable(line)).collect();
        let question = format!("{question} (space picks, enter goes on)");
        let select = MultiSelect::with_theme(&theme).with_prompt(question).items(&lines);
        answer(select.interact_opt())?.ok_or_else(stopped)
    }
}

/// Every way out of a prompt leaves the cursor visible.
fn answer<T>(result: dialoguer::Result<T>) -> Result<T> {
    _ = Term::stderr().show_cursor();
    result.map_err(|_| stopped())
}

fn stopped() -> anyhow::Error {
    Problem::interrupted("stopped at the question; nothing was changed", "run the command again, or answer with flags")
        .into()
}

/// Prints an error the way every command does, and gives the exit code.
#[must_use]
pub fn report(error: &anyhow::Error, json: bool) -> u8 {
    let problem = error.downcast_ref::<Problem>();
    let code = problem.map_or(1, Problem::exit_code);
    let what = problem.map_or_else(|| error.to_string(), |problem| problem.what.clone());
    let fix = problem.map_or("run the command again; if it stays, report it with this message", |problem| &problem.fix);
    let outer = error.to_string();
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).filter(|cause| *cause != what).collect();
    let what = if outer == what { what } else { format!("{outer}\n{what}") };
    if json {
        let object = serde_json::json!({ "error": { "what": what, "causes": causes, "fix": fix, "exit": code } });
        _ = Ui::default().object(object);
        return code;
    }
    anstream::eprintln!("{}: {}", paint(BAD, "error"), printable(&what));
    for cause in &causes {
        anstream::eprintln!("  caused by: {}", printable(cause));
    }
    anstream::eprintln!("{}: {}", paint(GOOD, "help"), printable(fix));
    code
}

/// Names and values of a project are never echoed as terminal control sequences.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// JSON whose strings control no terminal either: a serializer escapes only what has to be.
fn escaped(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if is_hidden(c) {
            _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

fn is_hidden(c: char) -> bool {
    // Marks of direction would show a line in another order than it has.
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_means_the_same_and_controls_no_terminal() {
        let value = serde_json::json!({ "a\u{9b}2J": ["\u{1b}[2J\u{7f}\u{202e}", "é\u{1f6d2}\n\t"] });
        let text = escaped(&format!("{value:#}"));
        assert!(!text.contains(|c: char| is_hidden(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(printable("a\u{1b}[2J\n\u{9b}"), "a\u{fffd}[2J\n\u{fffd}");
    }
}

//! The tool is killed at any moment, again and again: what the next run leaves is the old project or the new one.
//! `KILLS=5000` asks for more of it.

use std::{
    fmt,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{
    Project, Run, State, copy, empty, finished, fixture, in_memory, of_stack, run, sha256, state, tool,
};

const JOURNAL: &str = ".authwright-journal";
const ADD: &[&str] = &["add", "--yes", "--no-check"];
const UNDO: &[&str] = &["undo", "--yes"];
/// Brings an interrupted run to its end, then finds nothing to do.
const NEXT: &[&str] = &["add", "--yes", "--stack", "none"];

/// How many kills there are to be, and for how long at most.
fn kills() -> (usize, Duration) {
    let asked = std::env::var("KILLS").ok().map(|kills| kills.parse().unwrap());
    asked.map_or((520, Duration::from_secs(75)), |kills| (kills, Duration::MAX))
}

/// A project that is killed from one state to the other and back.
struct Victim {
    name: &'static str,
    project: Project,
    /// Where the command is given.
    dir: PathBuf,
    /// Where the journal is.
    base: PathBuf,
    old: State,
    new: State,
    is_new: bool,
    /// How long the commands take when nobody stops them, and how long the journal is there.
    takes: Duration,
    applies: Duration,
    /// How long it takes until a run has rolled another back.
    recovers: Duration,
    numbers: Numbers,
    count: Count,
}

#[derive(Clone, Copy, Default)]
struct Count {
    kills: usize,
    with_journal: usize,
    in_rollback: usize,
    to_old: usize,
    to_new: usize,
    again: usize,
    looked_at: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, with_journal, in_rollback, to_old, to_new, again, looked_at } = self;
        write!(
            f,
            "{kills} kills, {with_journal} of them while there was a journal, {in_rollback} amid a rollback; \
             then {to_old} times the old project, {to_new} times the new one, {again} times the same command to its end; \
             {looked_at} times it was only looked at"
        )
    }
}

/// The same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u128) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u64::try_from(u128::from(self.0 >> 20) % end.max(1)).unwrap()
    }

    fn within(&mut self, time: Duration) -> Duration {
        Duration::from_nanos(self.below(time.as_nanos()))
    }
}

impl Victim {
    fn new(name: &'static str, project: Project, dir: PathBuf, base: PathBuf, seed: u64) -> Self {
        let old = state(&project.dir);
        let times = [ADD, UNDO, ADD].map(|args| timed(&dir, &base, args));
        let new = state(&project.dir);
        run(&dir, UNDO).exits(0);
        assert_eq!(state(&project.dir), old, "{name}");
        // Not the longest, so that few runs end before they are killed.
        let takes = times.iter().map(|time| time.0).min().unwrap();
        let applies = times.iter().map(|time| time.1).max().unwrap();
        let (recovers, numbers, count) = (takes / 2, Numbers(seed), Count::default());
        Self { name, project, dir, base, old, new, is_new: false, takes, applies, recovers, numbers, count }
    }

    /// Kills a command at a random moment: of its whole time, or, more often, of that in which there is a journal.
    fn kill(&mut self, args: &[&str]) {
        let mut child = start(&self.dir, args);
        // How long these times are depends on what else the machine does, so they follow what is seen.
        if self.numbers.below(4) == 0 {
            sleep(self.numbers.within(self.takes));
            let killed = self.end(child).is_some();
            self.takes = if killed { self.takes * 17 / 16 } else { self.takes * 3 / 4 };
        } else {
            wait_for_journal(&mut child, &self.base);
            sleep(self.numbers.within(self.applies));
            let amid = self.end(child) == Some(true);
            self.applies = if amid { self.applies * 9 / 8 } else { self.applies * 3 / 4 };
        }
    }

    /// Whether there is a journal, if it was killed and had not ended.
    fn end(&mut self, mut child: Child) -> Option<bool> {
        _ = child.kill();
        let killed = child.wait().unwrap().signal() == Some(9);
        let journal = killed && self.base.join(JOURNAL).exists();
        self.count.kills += usize::from(killed);
        self.count.with_journal += usize::from(journal);
        killed.then_some(journal)
    }

    /// Kills the run that would roll back.
    fn kill_the_next(&mut self) {
        let before = state(&self.project.dir);
        let child = start(&self.dir, NEXT);
        // It rolls back at the end of that time, and is killed about then more often than by chance.
        let most = self.recovers * 2 / 3;
        let (late, window) = if self.numbers.below(4) > 0 { (Duration::ZERO, self.recovers) } else { (most, most) };
        sleep(late + self.numbers.within(window));
        let amid = self.end(child) == Some(true) && state(&self.project.dir) != before;
        self.count.in_rollback += usize::from(amid);
    }

    /// Lets a run bring the project to its end, and learns how long that takes.
    fn recover(&mut self) -> Run {
        let (begin, there) = (Instant::now(), self.base.join(JOURNAL).exists());
        let child = tool(&self.dir, NEXT).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        while there && self.base.join(JOURNAL).exists() && begin.elapsed() < self.takes {
            sleep(Duration::from_micros(100));
        }
        if there {
            self.recovers = begin.elapsed();
        }
        finished(&child.wait_with_output().unwrap())
    }

    fn round(&mut self) {
        let args = if self.is_new { UNDO } else { ADD };
        self.kill(args);
        if self.numbers.below(4) == 0 {
            self.only_looked_at();
        }
        for _ in 0..self.numbers.below(20) {
            if self.base.join(JOURNAL).exists() {
                self.kill_the_next();
            }
        }
        if self.numbers.below(8) == 0 {
            return self.again(args);
        }
        let said = self.recover();
        let now = state(&self.project.dir);
        assert!(now == self.old || now == self.new, "{}: {}\n{}", self.name, said.err, self.difference(&now));
        assert_eq!(said.code, 4, "{}: {}", self.name, said.err);
        self.is_new = now == self.new;
        if self.is_new { self.count.to_new += 1 } else { self.count.to_old += 1 }
    }

    /// The command that was killed is given again: it brings the interrupted run to its end, then does what it says.
    fn again(&mut self, args: &[&str]) {
        let done = run(&self.dir, args);
        let now = state(&self.project.dir);
        // Where all had been done before the kill, `add` finds nothing to do, and `undo` no lock.
        let (wanted, codes) = if self.is_new { (&self.old, [0, 1]) } else { (&self.new, [0, 0]) };
        assert!(now == *wanted, "{}: {} {}\n{}", self.name, done.code, done.err, self.difference(&now));
        assert!(codes.contains(&done.code), "{}: {} {}", self.name, done.code, done.err);
        self.is_new = !self.is_new;
        self.count.again += 1;
    }

    /// A command that does not write says what it found, and leaves it alone.
    fn only_looked_at(&mut self) {
        let before = state(&self.project.dir);
        if !self.base.join(JOURNAL).exists() {
            return;
        }
        for args in [&["detect"][..], &["verify"], &["add", "--dry-run"], &["undo", "--dry-run"]] {
            let said = run(&self.dir, args).exits(1).err;
            assert!(said.contains("a run was interrupted"), "{} {args:?}: {said}", self.name);
        }
        assert_eq!(state(&self.project.dir), before, "{}", self.name);
        self.count.looked_at += 1;
    }

    fn difference(&self, now: &State) -> String {
        let of = |name: &str, other: &State| {
            let names = now.keys().chain(other.keys()).filter(|path| now.get(*path) != other.get(*path));
            format!("not {name}: {:?}\n", names.collect::<Vec<_>>())
        };
        of("old", &self.old) + &of("new", &self.new)
    }
}

/// How long a command takes, and how long there is a journal.
fn timed(dir: &Path, base: &Path, args: &[&str]) -> (Duration, Duration) {
    let begin = Instant::now();
    let mut child = start(dir, args);
    wait_for_journal(&mut child, base);
    let journal = Instant::now();
    assert!(child.wait().unwrap().success());
    (begin.elapsed(), journal.elapsed())
}

fn start(dir: &Path, args: &[&str]) -> Child {
    tool(dir, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn wait_for_journal(child: &mut Child, base: &Path) {
    while !base.join(JOURNAL).exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_micros(100));
    }
}

/// Line endings of two bytes, a workspace from inside, an app from above, and a member of a workspace of Node.
fn victims() -> Vec<Victim> {
    let crlf = fixture("crlf");
    let (dir, base) = (crlf.dir.clone(), crlf.dir.clone());
    let crlf = Victim::new("crlf", crlf, dir, base, 11);

    let workspace = in_memory("workspace");
    copy(&fixture("workspace").dir, &workspace.dir);
    let (dir, base) = (workspace.dir.join("crates/api"), workspace.dir.clone());
    let workspace = Victim::new("workspace", workspace, dir, base, 22);

    let above = empty("above");
    let base = above.dir.join("services/api");
    std::fs::create_dir_all(&base).unwrap();
    copy(&fixture("plain").dir, &base);
    let dir = above.dir.clone();
    let above = Victim::new("above", above, dir, base, 33);

    let member = in_memory("member");
    copy(&of_stack("express", "monorepo").dir, &member.dir);
    let (dir, base) = (member.dir.join("apps/web"), member.dir.clone());
    vec![crlf, workspace, above, Victim::new("member", member, dir, base, 44)]
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_or_the_new_project() {
    let mut victims = victims();
    let (kills, patience) = kills();
    let (each, begin) = (kills.div_ceil(victims.len()), Instant::now());
    scope(|threads| {
        for victim in &mut victims {
            threads.spawn(move || {
                while victim.count.kills < each && begin.elapsed() < patience {
                    victim.round();
                }
            });
        }
    });
    for Victim { name, count, takes, applies, recovers, .. } in &victims {
        println!("{name} (takes {takes:?}, {applies:?} with a journal, {recovers:?} to roll back): {count}");
        assert!(count.to_old > 0 && count.to_new > 0, "{name}: {count}");
    }
    let all = |of: fn(&Count) -> usize| victims.iter().map(|victim| of(&victim.count)).sum::<usize>();
    assert!(all(|count| count.with_journal) > all(|count| count.kills) / 8 && all(|count| count.in_rollback) > 5);
    assert!(all(|count| count.again) > 0 && all(|count| count.looked_at) > 0);
}

#[test]
fn a_killed_new_can_be_given_again() {
    let args = ["new", "some/app", "--stack", "axum", "--yes", "--no-check"];
    let made = in_memory("made");
    let base = made.dir.join("some/app");
    let (takes, applies) = timed(&made.dir, &base, &args);
    let new = state(&made.dir);
    let (mut numbers, mut kills) = (Numbers(55), 0);
    while kills < 8 {
        let made = in_memory("made");
        let base = made.dir.join("some/app");
        let mut child = start(&made.dir, &args);
        if numbers.below(2) == 0 {
            sleep(numbers.within(takes));
        } else {
            wait_for_journal(&mut child, &base);
            sleep(numbers.within(applies));
        }
        _ = child.kill();
        kills += usize::from(child.wait().unwrap().signal() == Some(9));
        let again = run(&made.dir, &args);
        let complete = again.err.contains("is there already and is not empty");
        assert!(again.code == 0 || again.code == 1 && complete, "{}", again.err);
        assert_eq!(state(&made.dir), new);
    }
}

#[test]
fn a_signal_to_end_is_heeded_between_transactions_only() {
    let project = in_memory("plain");
    copy(&fixture("plain").dir, &project.dir);
    let old = state(&project.dir);
    let (takes, _) = timed(&project.dir, &project.dir, ADD);
    let new = state(&project.dir);
    let (mut numbers, mut is_new, mut changes) = (Numbers(66), true, 0);
    for signal in [Signal::TERM, Signal::INT, Signal::HUP].into_iter().cycle().take(12) {
        let mut child = start(&project.dir, if is_new { UNDO } else { ADD });
        sleep(numbers.within(takes));
        _ = kill_process(Pid::from_child(&child), signal);
        child.wait().unwrap();
        let now = state(&project.dir);
        assert!(now == old || now == new, "{signal:?}");
        changes += usize::from(is_new != (now == new));
        is_new = now == new;
    }
    println!("{changes} of 12 runs had begun to write");
}

#[test]
fn a_journal_in_a_folder_above_that_is_no_workspace_is_left_alone() {
    let above = empty("above");
    let dir = above.dir.join("app");
    std::fs::create_dir(&dir).unwrap();
    copy(&fixture("plain").dir, &dir);
    std::fs::create_dir(above.dir.join(JOURNAL)).unwrap();
    let record = r#"{"files":[{"path":"app/src/main.rs","temp":"app/src/.authwright-tmp-1","before":null,"after":"HASH"}],"created":[],"removed":[]}"#;
    let hash = sha256(&std::fs::read(dir.join("src/main.rs")).unwrap());
    std::fs::write(above.dir.join(JOURNAL).join("ready"), record.replace("HASH", &hash)).unwrap();
    run(&dir, ADD).exits(0);
    assert!(dir.join("src/main.rs").exists() && above.dir.join(JOURNAL).join("ready").exists());
}

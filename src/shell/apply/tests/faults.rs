//! Every step of a transaction and of its rollback fails in each way, or is the last that happens.
//! However it went, the next run finds the old project or the new one, and nothing else.

use std::fmt;

use super::*;

/// What happens at a step.
#[derive(Clone, Copy)]
enum Fault {
    /// The step and all that would follow do not happen.
    Crash,
    /// As `Crash`, and what the step would write is there in part.
    Torn,
    /// The step fails, and what follows happens.
    Refused(Errno),
    /// The step happens and is said to have failed.
    Misreported(Errno),
}

const ERRORS: [Errno; 3] = [Errno::NOSPC, Errno::ACCESS, Errno::IO];

fn faults() -> impl Iterator<Item = Fault> {
    let errors = ERRORS.into_iter().flat_map(|errno| [Fault::Refused(errno), Fault::Misreported(errno)]);
    [Fault::Crash, Fault::Torn].into_iter().chain(errors)
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash => write!(f, "crash"),
            Self::Torn => write!(f, "torn write"),
            Self::Refused(errno) => write!(f, "refused: {errno}"),
            Self::Misreported(errno) => write!(f, "done and reported as: {errno}"),
        }
    }
}

impl Fault {
    /// Strikes at the step of that number. Counts the steps in `seen`.
    fn at<'a>(self, number: usize, root: &'a Path, seen: &'a mut usize) -> impl FnMut(&str, Moment) -> io::Result<()> {
        *seen = 0;
        move |step, moment| {
            *seen += usize::from(moment == Moment::Before);
            match self {
                Self::Crash | Self::Torn if *seen > number => {
                    if let (Self::Torn, true, Some(path)) = (self, *seen == number + 1, step.strip_prefix("write ")) {
                        fs::write(root.join(path), "to").unwrap();
                    }
                    Err(gone())
                }
                Self::Refused(errno) if *seen == number + 1 && moment == Moment::Before => Err(errno.into()),
                Self::Misreported(errno) if *seen == number + 1 && moment == Moment::After => Err(errno.into()),
                _ => Ok(()),
            }
        }
    }

    /// Whether the run that it strikes may still do what it does at an end.
    fn ends_the_run(self) -> bool {
        matches!(self, Self::Crash | Self::Torn)
    }
}

/// A transaction and what it leads from and to.
struct Case {
    name: &'static str,
    changes: Vec<Change>,
    /// The project before it is the one that the other direction leaves.
    back: bool,
    old: Snapshot,
    new: Snapshot,
}

impl Case {
    /// `add` and `undo`, as far as files are concerned.
    fn both() -> [Self; 2] {
        let (old, new) = expected();
        let back = Self::inverse(changes());
        let (_keep, disk) = project();
        apply(&disk, &changes()).unwrap();
        apply(&disk, &back).unwrap();
        let again = snapshot(disk.root());
        [
            Self { name: "there", changes: changes(), back: false, old, new: new.clone() },
            Self { name: "back", changes: back, back: true, old: new, new: again },
        ]
    }

    fn inverse(changes: Vec<Change>) -> Vec<Change> {
        let inverse = |change: Change| Change { path: change.path, before: change.after, after: change.before };
        changes.into_iter().map(inverse).collect()
    }

    fn start(&self) -> (tempfile::TempDir, Disk) {
        let (keep, disk) = project();
        if self.back {
            apply(&disk, &changes()).unwrap();
        }
        (keep, disk)
    }

    fn struck(&self, disk: &Disk, fault: Fault, number: usize) -> (bool, usize) {
        let (root, mut seen) = (disk.root().to_owned(), 0);
        let ended = apply_with(disk, &self.changes, &mut fault.at(number, &root, &mut seen)).is_ok();
        (ended, seen)
    }

    /// Opens the project anew and lets the next run bring it to its end.
    #[track_caller]
    fn recovered(&self, root: &Path, told: &dyn fmt::Display) -> bool {
        let disk = Disk::open(root).unwrap();
        recover(&disk).unwrap_or_else(|error| panic!("{} {told}: {error:#}", self.name));
        let is_new = self.is_new(root, told);
        assert_eq!(recover(&disk).unwrap(), None, "{} {told}", self.name);
        is_new
    }

    #[track_caller]
    fn is_new(&self, root: &Path, told: &dyn fmt::Display) -> bool {
        let now = snapshot(root);
        assert!(now == self.old || now == self.new, "{} {told}: {now:#?}", self.name);
        now == self.new
    }
}

#[test]
fn a_fault_at_any_step_leaves_the_old_or_the_new_project() {
    for case in Case::both() {
        for fault in faults() {
            let (mut olds, mut news, mut number) = (0, 0, 0);
            loop {
                let (_keep, disk) = case.start();
                let (ended, seen) = case.struck(&disk, fault, number);
                if seen <= number {
                    break;
                }
                let told = format!("{fault:?} at step {number}");
                if !fault.ends_the_run() {
                    assert_eq!(case.is_new(disk.root(), &told), ended, "{} {told}", case.name);
                }
                let is_new = case.recovered(disk.root(), &told);
                assert!(is_new || !ended, "{} {told}: done, and taken back", case.name);
                (olds, news) = (olds + usize::from(!is_new), news + usize::from(is_new));
                number += 1;
            }
            println!("{} {fault:?}: {number} steps, {olds} times the old project, {news} times the new one", case.name);
            assert!(olds > 60 && news > 5, "{} {fault:?}: {olds} {news}", case.name);
        }
    }
}

#[test]
fn a_fault_at_any_step_of_a_rollback_leaves_it_to_the_next_run() {
    for case in Case::both() {
        let mut runs = 0;
        for number in crashes_that_leave_much(&case) {
            for fault in faults() {
                let mut second = 0;
                loop {
                    let (_keep, disk) = case.start();
                    case.struck(&disk, Fault::Crash, number);
                    let (root, mut seen) = (disk.root().to_owned(), 0);
                    let ended = recover_with(&disk, &mut fault.at(second, &root, &mut seen)).is_ok();
                    if seen <= second {
                        break;
                    }
                    let told = format!("crash at step {number}, then {fault:?} at step {second} of the rollback");
                    assert!(!ended || !case.is_new(&root, &told), "{} {told}", case.name);
                    assert!(!case.recovered(&root, &told), "{} {told}: the new project", case.name);
                    (second, runs) = (second + 1, runs + 1);
                }
                assert!(second > 10, "{} {fault:?}: {second} steps", case.name);
            }
        }
        println!("{}: {runs} rollbacks struck", case.name);
    }
}

/// The last step before the new project counts, and some before it, so that files of each kind are half-way.
fn crashes_that_leave_much(case: &Case) -> Vec<usize> {
    let (_keep, disk) = case.start();
    let mut steps = vec![];
    let mut note = |step: &str, moment| {
        if moment == Moment::Before {
            steps.push(step.to_owned());
        }
        Ok(())
    };
    apply_with(&disk, &case.changes, &mut note).unwrap();
    let done = steps.iter().position(|step| step.starts_with("replace") && step.ends_with("/done")).unwrap();
    let first = steps.iter().position(|step| step.starts_with("replace Cargo.toml")).unwrap();
    vec![first + 1, usize::midpoint(first, done), done]
}

#[test]
fn a_crash_of_the_run_that_rolls_back_for_a_new_one_is_no_worse() {
    let [case, _] = Case::both();
    let number = crashes_that_leave_much(&case)[2];
    for second in 0.. {
        let (_keep, disk) = case.start();
        case.struck(&disk, Fault::Crash, number);
        // The same transaction again: it takes the old one back and is interrupted anywhere on its way.
        let (_, seen) = case.struck(&disk, Fault::Crash, second);
        if seen <= second {
            println!("{second} steps from one interruption to the end of the next run");
            return;
        }
        case.recovered(disk.root(), &format!("crash at step {number}, and of the next run at step {second}"));
    }
}

#[test]
fn a_disk_that_stays_full_is_told_and_nothing_is_lost() {
    let [case, _] = Case::both();
    let number = crashes_that_leave_much(&case)[2];
    let (_keep, disk) = case.start();
    case.struck(&disk, Fault::Crash, number);
    let mut full = |step: &str, _| if step.starts_with("write ") { Err(Errno::NOSPC.into()) } else { Ok(()) };
    for _ in 0..3 {
        let error = format!("{:#}", recover_with(&disk, &mut full).unwrap_err());
        assert!(error.contains("cannot write") && error.contains("No space left"), "{error}");
        assert!(disk.root().join(READY).exists());
    }
    assert!(!case.recovered(disk.root(), &"space again"));
}

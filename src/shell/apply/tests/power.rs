//! The power fails at any step: of what was not synced, anything may be lost, in each folder on its own.

use std::{collections::HashMap, os::unix::fs::MetadataExt as _, path::PathBuf};

use super::*;

/// Names in a folder, and which node each is.
type Names = BTreeMap<String, usize>;

#[derive(Clone, PartialEq)]
enum Content {
    Folder,
    File(Vec<u8>),
    Link(PathBuf),
}

struct Node {
    mode: u32,
    now: Content,
    /// What a loss of power leaves of it.
    kept: Content,
    /// Of a folder: what it was when it was last synced, and each state since.
    states: Vec<Names>,
}

/// What a file system is bound to: a synced file has its bytes, a synced folder its names.
struct Model {
    root: PathBuf,
    nodes: Vec<Node>,
    /// By inode number, those that are there now.
    known: HashMap<u64, usize>,
}

impl Model {
    /// A project that has been there for long.
    fn of(root: &Path) -> Self {
        let mut model = Self { root: root.to_owned(), nodes: vec![], known: HashMap::new() };
        model.look();
        for node in &mut model.nodes {
            node.kept = node.now.clone();
            node.states.drain(..node.states.len() - 1);
        }
        model
    }

    fn look(&mut self) {
        let before = std::mem::take(&mut self.known);
        self.look_at(&self.root.clone(), &before);
    }

    fn look_at(&mut self, path: &Path, before: &HashMap<u64, usize>) -> usize {
        let meta = fs::symlink_metadata(path).unwrap();
        let now = if meta.is_dir() {
            Content::Folder
        } else if meta.is_symlink() {
            Content::Link(fs::read_link(path).unwrap())
        } else {
            Content::File(fs::read(path).unwrap())
        };
        let id = before.get(&meta.ino()).copied().unwrap_or_else(|| {
            let kept = if meta.is_file() { Content::File(vec![]) } else { now.clone() };
            self.nodes.push(Node { mode: 0, now: now.clone(), kept, states: vec![Names::new()] });
            self.nodes.len() - 1
        });
        self.known.insert(meta.ino(), id);
        self.nodes[id].mode = meta.permissions().mode();
        self.nodes[id].now = now;
        if meta.is_dir() {
            let mut names = Names::new();
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                names.insert(entry.file_name().into_string().unwrap(), self.look_at(&entry.path(), before));
            }
            if self.nodes[id].states.last() != Some(&names) {
                self.nodes[id].states.push(names);
            }
        }
        id
    }

    fn taken(&mut self, step: &str) {
        self.look();
        let Some(path) = step.strip_prefix("sync ") else { return };
        // A folder that is gone has nothing to sync.
        let Ok(meta) = fs::metadata(self.root.join(path)) else { return };
        let node = &mut self.nodes[self.known[&meta.ino()]];
        node.kept = node.now.clone();
        node.states.drain(..node.states.len() - 1);
    }

    /// Makes at `to` what could be left. `pick` takes one of so many.
    fn lose(&self, to: &Path, pick: &mut dyn FnMut(usize) -> usize) {
        self.put(self.known[&fs::metadata(&self.root).unwrap().ino()], to, pick);
    }

    fn put(&self, id: usize, to: &Path, pick: &mut dyn FnMut(usize) -> usize) {
        let node = &self.nodes[id];
        match if pick(2) == 0 { &node.kept } else { &node.now } {
            Content::Link(target) => return symlink(target, to).unwrap(),
            Content::File(bytes) => fs::write(to, bytes).unwrap(),
            Content::Folder => {
                fs::create_dir_all(to).unwrap();
                for (name, id) in &node.states[pick(node.states.len())] {
                    self.put(*id, &to.join(name), pick);
                }
            }
        }
        fs::set_permissions(to, fs::Permissions::from_mode(node.mode)).unwrap();
    }
}

/// The same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Runs `act`, and after each of its steps looks at what a loss of power could leave once the next run was there.
/// Gives what was found after the last step.
fn lost_at_each_step(disk: &Disk, ends: &[&Snapshot], act: impl FnOnce(Told)) -> Vec<Snapshot> {
    const MIXTURES: usize = 8;
    let (mut model, mut numbers) = (Model::of(disk.root()), Numbers(0x5eed_5eed));
    let (mut steps, mut found) = (0, vec![]);
    act(&mut |step, moment| {
        if moment == Moment::Before {
            return Ok(());
        }
        steps += 1;
        model.taken(step);
        found.clear();
        for mixture in 0..MIXTURES {
            let left = folder();
            model.lose(left.path(), &mut |end| match mixture {
                0 => 0,
                1 => end - 1,
                _ => numbers.below(end),
            });
            recover(&Disk::open(left.path()).unwrap()).unwrap_or_else(|error| panic!("{step}, {mixture}: {error:#}"));
            let now = snapshot(left.path());
            assert!(ends.contains(&&now), "{step}, {mixture}: {now:#?}");
            found.push(now);
        }
        Ok(())
    });
    println!("{steps} steps, {} losses of power", steps * MIXTURES);
    found
}

#[test]
fn a_loss_of_power_at_any_step_leaves_the_old_or_the_new_project() {
    let (old, new) = expected();
    let (_keep, disk) = project();
    let found = lost_at_each_step(&disk, &[&old, &new], |told| apply_with(&disk, &changes(), told).unwrap());
    assert!(found.iter().all(|left| *left == new), "what was told as done is on the disk");
}

#[test]
fn a_loss_of_power_at_any_step_of_a_rollback_leaves_the_old_project() {
    let (old, _) = expected();
    for stop in ["replace run ü.sh", "remove old/two.txt", "replace .authwright-journal/done"] {
        let (_keep, disk) = project();
        _ = apply_with(&disk, &changes(), &mut dead_from(stop));
        let found = lost_at_each_step(&disk, &[&old], |told| drop(recover_with(&disk, told).unwrap()));
        assert!(!found.is_empty());
    }
}

//! What detection may look at: names of files, and texts that are read when a manifest makes them matter.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    ops::Range,
    rc::Rc,
};

use super::{
    Evidence,
    knowledge::{Ecosystem, Pattern},
    prose::Prose,
};
use crate::core::{
    anchor::line_of,
    glob::Glob,
    project::{RelPath, Text},
};

/// The most files whose text one sign looks at, those nearest to the app's folder first.
const TEXTS: usize = 1500;
/// The same of signs of a login: of files with a telling name, and of others.
const TELLING: usize = 200;
const NEAREST: usize = 12;
/// Characters of a line that are shown.
const SHOWN: usize = 160;

/// Reads a file below the folder looked at: its text, or why there is none.
pub type Reader<'r> = dyn Fn(&RelPath) -> Result<Text, String> + 'r;

/// A folder above the one looked at, up to the repository's root.
#[derive(Clone, Debug, Default)]
pub struct Above {
    /// `..`, `../..`
    pub path: String,
    /// The folder looked at, relative to this one.
    pub below: String,
    /// What is there of the files that are asked for.
    pub files: Vec<(String, Text)>,
}

pub struct Sight<'r> {
    /// Sorted.
    paths: Vec<String>,
    read: Box<Reader<'r>>,
    texts: RefCell<HashMap<String, Option<Rc<Text>>>>,
    unread: RefCell<Vec<(String, String)>>,
    /// Nearest first.
    pub above: Vec<Above>,
}

impl<'r> Sight<'r> {
    #[must_use]
    pub fn new(mut paths: Vec<String>, read: Box<Reader<'r>>, above: Vec<Above>) -> Self {
        paths.sort_unstable();
        Self { paths, read, texts: RefCell::default(), unread: RefCell::default(), above }
    }

    /// A tree that is in memory.
    #[cfg(test)]
    pub fn of(tree: &'r crate::core::project::Tree) -> Self {
        let paths = tree.iter().map(|(path, _)| path.as_str().to_owned()).collect();
        let read = |path: &RelPath| tree.get(path).cloned().ok_or_else(|| "it is gone".to_owned());
        Self::new(paths, Box::new(read), vec![])
    }

    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.paths.binary_search_by(|one| one.as_str().cmp(path)).is_ok()
    }

    /// The paths below a folder, whole.
    #[must_use]
    pub fn below(&self, folder: &str) -> &[String] {
        if folder.is_empty() {
            return &self.paths;
        }
        let prefix = format!("{folder}/");
        let start = self.paths.partition_point(|path| path.as_str() < prefix.as_str());
        let count = self.paths[start..].partition_point(|path| path.starts_with(&prefix));
        &self.paths[start..start + count]
    }

    /// A file's text, if it is there and is text.
    pub fn text(&self, path: &str) -> Option<Rc<Text>> {
        if let Some(known) = self.texts.borrow().get(path) {
            return known.clone();
        }
        let read = match RelPath::new(path) {
            Ok(relative) if self.has(path) => (self.read)(&relative).map(Rc::new),
            Ok(_) => return None,
            Err(problem) => Err(problem.what),
        };
        let text = read.map_err(|why| self.unread.borrow_mut().push((path.to_owned(), why))).ok();
        self.texts.borrow_mut().insert(path.to_owned(), text.clone());
        text
    }

    /// Why a file has no text.
    #[must_use]
    pub fn why(&self, path: &str) -> Option<String> {
        self.unread.borrow().iter().find(|(name, _)| name == path).map(|(_, why)| why.clone())
    }

    /// What a claim rests on: a line of a file.
    #[must_use]
    pub fn evidence(&self, path: &str, line: usize) -> Evidence {
        let text = self.text(path);
        let shown = text.as_deref().and_then(|text| text.raw().lines().nth(line.saturating_sub(1)));
        Evidence { file: path.to_owned(), line, text: shorten(shown.unwrap_or_default()) }
    }
}

/// A line without its margins, cut where it is long.
pub fn shorten(line: &str) -> String {
    let line = line.trim_start_matches('\u{feff}').trim();
    line.char_indices().nth(SHOWN).map_or(line, |(end, _)| &line[..end]).to_owned()
}

/// The files of one package: those below its folder that are neither another package's nor aside.
pub struct View<'s> {
    pub sight: &'s Sight<'s>,
    ecosystem: &'s Ecosystem,
    folder: String,
    /// Relative to the folder, sorted.
    files: Vec<&'s str>,
    /// The same, those nearest to the folder first.
    near: OnceCell<Vec<&'s str>>,
    /// Of these, the ones whose paths tell of a login.
    telling: OnceCell<Vec<&'s str>>,
    /// Of files in which something was found.
    prose: RefCell<HashMap<&'s str, Rc<Prose>>>,
}

impl<'s> View<'s> {
    /// `others` are folders of packages below this one, whole and sorted; `is_aside` is asked of names of folders, and of
    /// files.
    pub fn new(
        sight: &'s Sight<'s>,
        ecosystem: &'s Ecosystem,
        folder: &str,
        others: &[&str],
        is_aside: impl Fn(&str, bool) -> bool,
    ) -> Self {
        let start = if folder.is_empty() { 0 } else { folder.len() + 1 };
        let mut files = vec![];
        // Paths are sorted, so what is known of a folder is known of those that follow in it.
        let (mut left, mut shown): (Option<String>, Option<&str>) = (None, None);
        for path in sight.below(folder) {
            if left.as_ref().is_some_and(|prefix| path.starts_with(prefix)) {
                continue;
            }
            let inside = &path[start..];
            let (parent, name) = inside.rsplit_once('/').map_or(("", inside), |(parent, name)| (parent, name));
            if !parent.is_empty() && shown != Some(parent) {
                let mut from = 0;
                let mut ends = parent.match_indices('/').map(|(at, _)| at).chain([parent.len()]);
                let hidden = ends.find(|end| {
                    let (name, whole) = (&inside[from..*end], &path[..start + end]);
                    from = end + 1;
                    is_aside(name, true) || others.binary_search(&whole).is_ok()
                });
                if let Some(end) = hidden {
                    left = Some(format!("{}/", &path[..start + end]));
                    continue;
                }
                shown = Some(parent);
            }
            if !is_aside(name, false) {
                files.push(inside);
            }
        }
        Self {
            sight,
            ecosystem,
            folder: folder.to_owned(),
            files,
            near: OnceCell::new(),
            telling: OnceCell::new(),
            prose: RefCell::default(),
        }
    }

    #[must_use]
    pub fn files(&self) -> &[&'s str] {
        &self.files
    }

    #[must_use]
    pub fn whole(&self, file: &str) -> String {
        if self.folder.is_empty() { file.to_owned() } else { format!("{}/{file}", self.folder) }
    }

    /// The files that match one of some globs.
    fn matching<'g>(&'g self, globs: &'g [Glob]) -> impl Iterator<Item = &'s str> + 'g {
        globs.iter().flat_map(move |glob| {
            let start = self.files.partition_point(|file| *file < glob.prefix());
            let ours = self.files[start..].iter().take_while(move |file| file.starts_with(glob.prefix()));
            ours.filter(move |file| glob.matches(file)).copied()
        })
    }

    /// The first file that matches one of some globs.
    #[must_use]
    pub fn file(&self, globs: &[Glob]) -> Option<Evidence> {
        let file = self.matching(globs).next()?;
        Some(Evidence::there(self.whole(file)))
    }

    /// The first place where a pattern matches in the files that match one of some globs.
    #[must_use]
    pub fn place(&self, globs: &[Glob], pattern: &Pattern) -> Option<Evidence> {
        if globs.iter().any(|glob| glob.prefix().is_empty()) {
            let near = self.near().iter().filter(|file| globs.iter().any(|glob| glob.matches(file)));
            return self.first(near, TEXTS, pattern, Prose::holds);
        }
        // Few files have a beginning that is told, and these stand together.
        let mut files: Vec<&str> = self.matching(globs).collect();
        files.sort_by_key(|file| nearness(file));
        files.dedup();
        self.first(&files, TEXTS, pattern, Prose::holds)
    }

    /// The same, only in files whose paths tell of a login, and in the few that are nearest. Long texts count: a login that
    /// is not seen does harm, one that is not there does none.
    #[must_use]
    pub fn telling(&self, globs: &[Glob], pattern: &Pattern, tells: &Pattern) -> Option<Evidence> {
        let telling = || self.near().iter().copied().filter(|file| tells.find(file).is_some()).collect();
        let ours = |file: &&&str| globs.iter().any(|glob| glob.matches(file));
        let is_hidden = Prose::comments_hold;
        self.first(self.telling.get_or_init(telling).iter().filter(ours), TELLING, pattern, is_hidden)
            .or_else(|| self.first(self.near().iter().filter(ours), NEAREST, pattern, is_hidden))
    }

    /// The files, those nearest to the app's folder first.
    fn near(&self) -> &[&'s str] {
        self.near.get_or_init(|| {
            let mut files = self.files.clone();
            files.sort_by_cached_key(|file| nearness(file));
            files
        })
    }

    fn first<'f>(
        &self,
        files: impl IntoIterator<Item = &'f &'s str>,
        most: usize,
        pattern: &Pattern,
        is_hidden: impl Fn(&Prose, &Range<usize>) -> bool,
    ) -> Option<Evidence>
    where
        's: 'f,
    {
        files.into_iter().take(most).find_map(|file| {
            let path = self.whole(file);
            let text = self.sight.text(&path)?;
            let raw = text.raw();
            let is_manifest = self.is_manifest(file);
            let place = pattern.find_where(raw, |place| {
                is_manifest || !is_hidden(&self.prose(file, raw), &without_margins(raw, place))
            })?;
            Some(self.sight.evidence(&path, line_of(raw, without_margins(raw, place).start)))
        })
    }

    /// All of these files is looked at.
    fn is_manifest(&self, file: &str) -> bool {
        let name = file.rsplit('/').next().unwrap_or(file);
        self.ecosystem.manifests.iter().any(|glob| glob.matches(name))
    }

    fn prose(&self, file: &'s str, text: &str) -> Rc<Prose> {
        let mut known = self.prose.borrow_mut();
        known.entry(file).or_insert_with(|| Rc::new(Prose::of(text, self.ecosystem.marks()))).clone()
    }
}

/// A match begins where something is written, if need be behind it.
fn without_margins(text: &str, place: Range<usize>) -> Range<usize> {
    let start = text.len() - text[place.start..].trim_start().len();
    start..start.max(place.start + text[place.clone()].trim_end().len())
}

fn nearness(file: &str) -> (usize, &str) {
    (file.matches('/').count(), file)
}

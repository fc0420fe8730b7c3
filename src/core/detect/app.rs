//! One app: what is told of it, and what each claim rests on.

use super::{
    Evidence, Project,
    knowledge::{Ecosystem, Framework, Kind, Knowledge, Pattern},
    manager::{self, Roots},
    package::{Asked, Package, Packages, claim, versions},
    sight::{Sight, View},
};
use crate::core::{
    edit::dependencies::serves,
    glob::Glob,
    manifest::{
        self,
        named::{Named, Scope},
    },
    pack::Pack,
};

/// A framework in a package.
pub struct Hit<'a> {
    pub package: &'a Package<'a>,
    pub framework: &'a Framework,
    /// The manifest's path and what it names.
    pub named: Option<(String, Named)>,
    pub evidence: Vec<Evidence>,
    pub version: Option<String>,
}

/// What a detection looks at.
pub struct Scene<'a> {
    pub known: &'a Knowledge,
    pub packs: &'a [Pack],
    pub sight: &'a Sight<'a>,
    pub packages: &'a Packages<'a>,
    pub roots: &'a Roots,
}

impl<'a> Scene<'a> {
    pub fn all(&self) -> std::slice::Iter<'a, Package<'a>> {
        self.packages.all.iter()
    }

    pub fn ecosystem(&self, package: &Package<'_>) -> &'a Ecosystem {
        &self.known.ecosystems[package.ecosystem]
    }

    pub fn view(&self, package: &'a Package<'a>) -> &'a View<'a> {
        package.view.get_or_init(|| {
            let is_other = |other: &&Package<'_>| {
                other.ecosystem == package.ecosystem && other.folder != package.folder && !other.manifests.is_empty()
            };
            let passed = self.packages.passed.iter().filter(|(ecosystem, _)| *ecosystem == package.ecosystem);
            let others = self.all().filter(is_other).map(|other| other.folder.as_str());
            let mut others: Vec<&str> = others.chain(passed.map(|(_, folder)| folder.as_str())).collect();
            others.sort_unstable();
            let ecosystem = self.ecosystem(package);
            let (folders, own) = (&self.known.folders, &ecosystem.aside);
            View::new(self.sight, ecosystem, &package.folder, &others, |name, folder| {
                if folder {
                    folders.aside.contains(name) || own.contains(name) || name.contains("{{")
                } else {
                    folders.aside_files.find(name).is_some()
                }
            })
        })
    }

    fn asked(&self, package: &'a Package<'a>, version: Option<&str>) -> Asked<'a> {
        Asked { package, view: self.view(package), version: version.and_then(manifest::lowest) }
    }

    /// Every framework that a package has an app of.
    pub fn hits(&self, package: &'a Package<'a>) -> Vec<Hit<'a>> {
        self.ecosystem(package).framework.iter().filter_map(|framework| self.hit(package, framework)).collect()
    }

    fn hit(&self, package: &'a Package<'a>, framework: &'a Framework) -> Option<Hit<'a>> {
        let named = package.find(&framework.depends, &framework.scopes).cloned();
        let of = |scope| package.find(&framework.depends, &[scope]).is_some();
        // Whoever uses the package brings the framework: this is a library.
        if of(Scope::Peer) && !of(Scope::Runtime) {
            return None;
        }
        let anywhere =
            named.is_some() || !framework.alone.is_empty() && self.packages.name(package.ecosystem, &framework.depends);
        if !anywhere && framework.bare.is_empty() {
            return None;
        }
        let version = self.version(package, framework, named.as_ref());
        let asked = self.asked(package, version.as_deref());
        let first = |signs: &[super::knowledge::Sign]| signs.iter().find_map(|sign| asked.holds(sign));
        let mut evidence: Vec<Evidence> = named.iter().map(|(path, named)| claim(path, named)).collect();
        if named.is_some() {
            evidence.extend(self.app(package, framework, &asked)?);
        } else {
            let found = if anywhere { first(&framework.alone) } else { None };
            evidence.extend(found.or_else(|| first(&framework.bare))?);
        }
        if first(&framework.not).or_else(|| first(&self.ecosystem(package).not)).is_some() {
            return None;
        }
        if self.makes(package, framework) || self.is_under(package, framework) || self.is_used(package, &asked) {
            return None;
        }
        Some(Hit { package, framework, named, evidence, version })
    }

    /// Whether what is published for users of a server's framework is in the same folder: pages there are a part of it.
    pub fn is_of_library(&self, package: &Package<'_>) -> bool {
        let mut beside =
            self.all().filter(|other| other.folder == package.folder && other.ecosystem != package.ecosystem);
        beside.any(|other| {
            let asked = self.asked(other, None);
            let is_refused = |framework: &Framework| {
                let not = framework.not.iter().chain(&self.ecosystem(other).not);
                framework.kind == Kind::Server
                    && other.find(&framework.depends, &framework.scopes).is_some()
                    && not.into_iter().any(|sign| asked.holds(sign).is_some())
            };
            self.ecosystem(other).framework.iter().any(is_refused)
        })
    }

    /// Whether the project is the framework's own: what else is there is for its tests, its pages or its users.
    fn makes(&self, package: &Package<'_>, framework: &Framework) -> bool {
        let mut others =
            self.all().filter(|other| other.ecosystem == package.ecosystem && other.folder != package.folder);
        others.any(|other| other.find(&framework.depends, &[Scope::Own]).is_some())
    }

    /// Whether a framework is what one that the project makes is built on: in that one's package, and where it is tried.
    fn is_under(&self, package: &Package<'_>, framework: &Framework) -> bool {
        let is_over = |other: &&Framework| other.label != framework.label && other.over.contains(&framework.label);
        self.ecosystem(package).framework.iter().filter(is_over).any(|over| {
            if package.find(&over.depends, &[Scope::Runtime, Scope::Dev, Scope::Build]).is_some() {
                return self.makes(package, over);
            }
            package.find(&over.depends, &[Scope::Own]).is_some()
        })
    }

    /// Whether a package is a part of others of the project, and nothing shows that it is started by itself.
    fn is_used(&self, package: &Package<'_>, asked: &Asked<'_>) -> bool {
        let started = &self.ecosystem(package).started;
        if started.is_empty() || started.iter().any(|sign| asked.holds(sign).is_some()) {
            return false;
        }
        let own: Vec<String> = package
            .named
            .iter()
            .filter(|(_, named)| named.scope == Scope::Own)
            .map(|(_, named)| named.name.clone())
            .collect();
        let mut others =
            self.all().filter(|other| other.ecosystem == package.ecosystem && other.folder != package.folder);
        !own.is_empty() && others.any(|other| other.find(&own, &[Scope::Runtime, Scope::Dev]).is_some())
    }

    /// What shows that a package which names a framework is an app; empty where only its manifest can be believed.
    fn app(&self, package: &Package<'_>, framework: &Framework, asked: &Asked<'_>) -> Option<Vec<Evidence>> {
        let own = &self.ecosystem(package).app;
        let signs = if framework.app.is_empty() { own } else { &framework.app };
        if signs.is_empty() {
            return Some(vec![]);
        }
        if let Some(found) = signs.iter().find_map(|sign| asked.holds(sign)) {
            return Some(found);
        }
        let is_below = |other: &Package<'_>| {
            other.ecosystem == package.ecosystem
                && other.folder != package.folder
                && (package.folder.is_empty() || other.folder.starts_with(&format!("{}/", package.folder)))
        };
        // Where others have sources, a package without any is a list of versions or an empty place.
        let ecosystem = self.ecosystem(package);
        let mut same = self.all().filter(|other| other.ecosystem == package.ecosystem);
        let bare = !framework.strict
            && !self.all().any(is_below)
            && !same.any(|other| self.asked(other, None).has_sources(ecosystem));
        bare.then(Vec::new)
    }

    /// The framework's version as it is written: in the package, in those above, anywhere.
    fn version(&self, package: &Package<'_>, framework: &Framework, named: Option<&(String, Named)>) -> Option<String> {
        if framework.version.is_empty()
            && let Some(own) = named.and_then(|(_, named)| named.requirement.clone())
        {
            return Some(own);
        }
        let names = versions(framework);
        let written = |package: &Package<'_>| {
            let mut all = names
                .iter()
                .flat_map(|name| package.named.iter().filter(move |(_, named)| super::package::is(name, &named.name)));
            all.find_map(|(_, named)| named.requirement.clone())
        };
        let same = || self.all().filter(|other| other.ecosystem == package.ecosystem);
        let above = super::package::upwards(&package.folder)
            .filter_map(|at| same().find(|other| other.folder == at))
            .find_map(written);
        above.or_else(|| same().find_map(written))
    }

    /// Everything that is told of an app.
    pub fn project(&self, hit: &Hit<'a>) -> Project {
        let (package, framework) = (hit.package, hit.framework);
        let ecosystem = self.ecosystem(package);
        let asked = self.asked(package, hit.version.as_deref());
        let mut evidence = hit.evidence.clone();
        let workspace = self.roots.of(self.sight, package);
        let managed = manager::manager(ecosystem, self.sight, package, workspace.is_some());
        let variant = framework.variant.iter().find_map(|variant| Some((variant, asked.holds(&variant.when)?)));
        let entry = framework.entry.iter().find_map(|look| asked.view.place(&look.r#in, &look.pattern));
        let database = package.find(&ecosystem.databases, &[Scope::Runtime, Scope::Build]);
        let (auth, shown) = auth(ecosystem, &asked, &self.known.folders.telling);
        let language = ecosystem
            .language
            .iter()
            .find(|language| language.when.as_ref().is_none_or(|sign| asked.holds(sign).is_some()));
        evidence.extend(entry.clone());
        evidence.extend(variant.iter().flat_map(|(_, found)| found.clone()));
        evidence.extend(managed.evidence);
        evidence.extend(database.map(|(path, named)| claim(path, named)));
        evidence.extend(shown);
        let mut project = Project {
            path: if package.folder.is_empty() { ".".to_owned() } else { package.folder.clone() },
            stack: None,
            language: language.map(|language| language.name.clone()).unwrap_or_default(),
            framework: framework.label.clone(),
            framework_version: hit.version.clone(),
            variant: variant.map(|(variant, _)| variant.name.clone()),
            package_manager: managed.name,
            workspace: workspace.map(|(root, _)| root),
            supported: false,
            reason: Some(unserved(framework)),
            entry,
            database: database.map(|(_, named)| named.name.clone()),
            existing_auth: auth,
            notes: managed.conflict.into_iter().collect(),
            evidence,
        };
        if let Some(pack) = self.packs.iter().find(|pack| pack.manifest.id == framework.label) {
            self.serve(pack, hit, &mut project);
        }
        // Of a file that is quoted, nothing is said by its being there.
        let quoted: Vec<String> =
            project.evidence.iter().filter(|found| !found.is_presence()).map(|found| found.file.clone()).collect();
        project.evidence.retain(|found| !found.is_presence() || !quoted.contains(&found.file));
        let mut seen: Vec<Evidence> = vec![];
        project.evidence.retain(|found| {
            let fresh = seen.iter().all(|one| (&one.file, one.line) != (&found.file, found.line));
            seen.extend(fresh.then(|| found.clone()));
            fresh
        });
        project
    }

    /// What a pack knows about the app.
    fn serve(&self, pack: &Pack, hit: &Hit<'a>, project: &mut Project) {
        let detect = &pack.manifest.detect;
        if self.view(hit.package).file(&detect.app).is_none() {
            let form = || format!("{} is served where there is {}", pack.manifest.name, written(&detect.app));
            project.reason = Some(detect.unserved.clone().unwrap_or_else(form));
            return;
        }
        let file = |(path, named): &(String, Named)| Some((path.rsplit('/').next()?.to_owned(), named.clone()));
        let manifest = hit.named.as_ref().and_then(file).filter(|(name, _)| detect.manifest.contains(name));
        let Some((manifest, named)) = manifest else {
            project.reason = Some(format!(
                "{} is served where {} names `{}`; `authwright list` shows what is served",
                pack.manifest.name,
                detect.manifest.join(" or "),
                detect.dependency
            ));
            return;
        };
        project.stack = Some(pack.manifest.id.clone());
        let requirement = named.requirement.as_deref();
        project.supported = serves(&manifest, &detect.versions, requirement) == Some(true);
        project.reason = (!project.supported).then(|| match requirement {
            Some(version) => {
                format!("{} {version} is not served; the templates are for {}", pack.manifest.name, detect.versions)
            }
            None => format!("the version of {} is not written in the manifest", pack.manifest.name),
        });
    }
}

fn written(globs: &[Glob]) -> String {
    globs.iter().map(Glob::written).collect::<Vec<_>>().join(" or ")
}

/// A login that is there already: a library's, or one of the project's own making.
fn auth(ecosystem: &Ecosystem, asked: &Asked<'_>, telling: &Pattern) -> (Option<String>, Vec<Evidence>) {
    if let Some((path, named)) = asked.package.find(&ecosystem.auths, &[Scope::Runtime, Scope::Build]) {
        return (Some(named.name.clone()), vec![claim(path, named)]);
    }
    let made = ecosystem.made.iter();
    let found: Vec<(String, Evidence)> = made
        .filter_map(|made| Some((made.what.clone(), asked.view.telling(&made.r#in, &made.pattern, telling)?)))
        .collect();
    let what: Vec<String> = found.iter().map(|(what, _)| what.clone()).collect();
    let told = (!what.is_empty()).then(|| format!("hand-made: {}", what.join(", ")));
    (told, found.into_iter().map(|(_, evidence)| evidence).collect())
}

fn unserved(framework: &Framework) -> String {
    match framework.kind {
        Kind::Client => format!(
            "{} runs in the browser alone, where no session can be kept: add authentication to the server that it talks to",
            framework.label
        ),
        _ => format!("authwright has no templates for {} yet; `authwright list` shows what it serves", framework.label),
    }
}

//! Source files import each other in one direction only: a file can be read knowing nothing but the
//! files below it.
//!
//! An edge leads from a file to the file that defines what it names, through any number of
//! re-exports. A re-export that the file itself does not use is the face of its part, and no edge;
//! nor is a call of a method, which names no file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use super::{Source, source, sources};
use regex::Regex;

static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+").unwrap());
static IMPORT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^ *(pub(?:\([^)]*\))? )?use ([^;]+);").unwrap());
static CHILD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(pub(?:\([^)]*\))? )?mod \w+;").unwrap());
static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    let visible = r"(?:pub(?:\([^)]*\))? )?(?:(?:const|async) )*";
    let kinds = "struct|enum|trait|type|fn|static|const|macro_rules!";
    Regex::new(&format!(r"(?m)^{visible}(?:{kinds}) (\w+)")).unwrap()
});

/// A file, as its items see it.
struct Module {
    file: String,
    /// All but imports and declarations of modules.
    code: String,
    items: BTreeSet<String>,
    imports: Vec<Import>,
}

struct Import {
    /// `*` for all of a module.
    name: String,
    path: Vec<String>,
    public: bool,
}

/// All files by their module's path.
struct Crate(BTreeMap<String, Module>);

/// Between files, with the names that cause them.
type Edges = BTreeMap<(String, String), BTreeSet<String>>;

impl Crate {
    fn new(sources: &[Source]) -> Self {
        Self(sources.iter().map(|source| (module_path(&source.path), module(source))).collect())
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (here, module) in &self.0 {
            let words: BTreeSet<&str> =
                module.code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let imports = module.imports.iter();
            let imports = imports.filter(|import| !import.public || words.contains(&*import.name));
            let in_code = PATH.find_iter(&module.code).map(|path| segments(path.as_str()));
            for path in imports.map(|import| import.path.clone()).chain(in_code) {
                if let Some(home) = self.home(here, &path).filter(|home| home != here) {
                    let edge = (module.file.clone(), self.0[&home].file.clone());
                    edges.entry(edge).or_default().insert(path.join("::"));
                }
            }
        }
        edges
    }

    /// The module that defines what `path` names in the module `here`; none for a module and for
    /// what comes from another crate.
    fn home(&self, here: &str, path: &[String]) -> Option<String> {
        let mut at = here.to_owned();
        for (place, name) in path.iter().enumerate() {
            let inner = format!("{at}::{name}");
            let is_module = self.0.contains_key(&inner);
            match &**name {
                "crate" | "aliyun_task_exporter" => "crate".clone_into(&mut at),
                "self" => {}
                "super" => at.truncate(at.rfind("::")?),
                _ if is_module && place + 1 < path.len() => at = inner,
                _ => {
                    let import = self.0[&at].imports.iter().find(|import| {
                        import.name == *name && (is_module || import.path[0] != *name)
                    });
                    if let Some(import) = import {
                        return self.home(&at, &[&import.path, &path[place + 1..]].concat());
                    }
                    let is_item = place > 0 || self.0[&at].items.contains(name);
                    return if is_module {
                        None
                    } else {
                        self.by_glob(&at, name).or(is_item.then_some(at))
                    };
                }
            }
        }
        None
    }

    /// The module from which `here` has a name by `use module::*`.
    fn by_glob(&self, here: &str, name: &str) -> Option<String> {
        let globs = self.0[here].imports.iter().filter(|import| import.name == "*");
        let homes = globs.filter_map(|import| {
            let mut path = import.path.clone();
            path.pop();
            path.push(name.to_owned());
            self.home(here, &path)
        });
        homes.into_iter().find(|home| self.0[home].items.contains(name))
    }
}

/// `crate::poll::tracker` for `src/poll/tracker/mod.rs`. The program is a crate of its own.
fn module_path(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    match path {
        "main" => "main".to_owned(),
        "lib" => "crate".to_owned(),
        _ => format!("crate::{}", path.replace('/', "::")),
    }
}

fn module(source: &Source) -> Module {
    let lines: Vec<&str> = source.lines.iter().map(|(_, line)| &**line).collect();
    let text = lines.join("\n");
    let imports = IMPORT.captures_iter(&text).flat_map(|found| {
        let public = found.get(1).is_some();
        let all = expand("", &found[2]).into_iter();
        all.map(move |(name, path)| Import { name, path: segments(&path), public })
    });
    Module {
        file: source.path.clone(),
        imports: imports.collect(),
        items: ITEM.captures_iter(&text).map(|found| found[1].to_owned()).collect(),
        code: CHILD.replace_all(&IMPORT.replace_all(&text, ""), "").into_owned(),
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// The names that a `use` of `tree` brings, each with its path.
fn expand(before: &str, tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    if let Some((path, list)) = tree.split_once('{') {
        let list = list.strip_suffix('}').unwrap();
        let before = format!("{before}{path}");
        return split(list).into_iter().flat_map(|tree| expand(&before, tree)).collect();
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = format!("{before}{path}");
    let path = path.trim_end_matches("::self");
    let last = path.rsplit("::").next().unwrap();
    vec![(if name.is_empty() { last } else { name }.to_owned(), path.to_owned())]
}

/// The parts of a list at its commas, but for those in inner braces.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let outer = |character: char| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        character == ',' && depth == 0
    };
    list.split(outer).filter(|tree| !tree.trim().is_empty()).collect()
}

/// Sets of files each of which leads to all others.
fn circles(edges: &Edges) -> BTreeSet<BTreeSet<&str>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        next.entry(from).or_default().push(to);
    }
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut ahead = next[from].clone();
        while let Some(file) = ahead.pop() {
            if reached.insert(file) {
                ahead.extend(next.get(file).into_iter().flatten());
            }
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|from| (*from, reached(from))).collect();
    let circle = |from: &str| -> BTreeSet<&str> {
        let back = |to: &&str| reached.get(to).is_some_and(|reached| reached.contains(from));
        reached[from].iter().copied().filter(back).collect()
    };
    next.keys().map(|from| circle(from)).filter(|circle| !circle.is_empty()).collect()
}

fn describe(circle: &BTreeSet<&str>, edges: &Edges) -> String {
    let inside =
        edges.iter().filter(|((from, to), _)| circle.contains(&**from) && circle.contains(&**to));
    let lines = inside.map(|((from, to), names)| {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        format!("  {from} -> {to}: {}", names.join(", "))
    });
    let lines: Vec<String> = lines.collect();
    format!("{} files in a circle:\n{}", circle.len(), lines.join("\n"))
}

#[test]
fn files_import_each_other_in_one_direction() {
    let sources = sources();
    let edges = Crate::new(&sources).edges();
    let found: Vec<String> =
        circles(&edges).iter().map(|circle| describe(circle, &edges)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The circles of a crate of these files, each as one text.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| source(Path::new(path), text)).collect();
    let edges = Crate::new(&sources).edges();
    circles(&edges).into_iter().map(|circle| Vec::from_iter(circle).join(" ")).collect()
}

#[test]
fn a_circle_would_be_found() {
    let face = ("src/a/mod.rs", "mod x;\nmod y;\npub(crate) use x::X;\nfn f() {}");
    let upper = ("src/a/y.rs", "use super::X;\npub struct Y;");
    // Through the face to the file that defines it, which names nothing above it.
    assert!(circles_of(&[face, upper, ("src/a/x.rs", "pub struct X;")]).is_empty());
    for lower in [
        "use super::y::Y;",
        "use crate::a::{y::{self as z, Y}, other};",
        "fn g() -> super::super::a::y::Y {}",
        "use super::y;\nfn g() { y::Y.f() }",
        "pub use super::y::Y;\nfn g(y: Y) {}",
    ] {
        let text = format!("{lower}\npub struct X;");
        let found = circles_of(&[face, upper, ("src/a/x.rs", &text)]);
        assert_eq!(found, ["src/a/x.rs src/a/y.rs"], "{lower}");
    }
    let glob = ("src/a/mod.rs", "mod x;\nmod y;\npub use x::*;");
    let found = circles_of(&[glob, upper, ("src/a/x.rs", "use super::y::Y;\npub struct X;")]);
    assert_eq!(found, ["src/a/x.rs src/a/y.rs"], "through a glob");
    // The face uses what it shows, and is used by it.
    let used = ("src/a/mod.rs", "mod x;\npub use x::X;\npub struct Z(X);");
    let found = circles_of(&[used, ("src/a/x.rs", "use super::Z;\npub struct X;")]);
    assert_eq!(found, ["src/a/mod.rs src/a/x.rs"]);
}

//! Each rule catches a violation, and lets the like of it pass that is none.

use super::{Edges, Finding, RULES, Tree};

const EDGES: &str = r#"
[[crate]]
name = "scruple-core"
uses = {}
[[crate]]
name = "scruple-fhir"
uses = { scruple-core = "views" }
[[crate]]
name = "scruple-policy"
uses = { scruple-fhir = "elements" }
tests = { scruple-testkit = "corpus" }
[[crate]]
name = "scruple-store"
uses = { scruple-core = "time" }
[[crate]]
name = "scruple-testkit"
uses = { scruple-core = "time" }
[[only]]
name = "jiff"
crates = ["scruple-core"]
tests = false
why = "one crate knows what a date is"
[[only]]
name = "anyhow"
crates = ["xtask"]
why = "tools only"
[pure]
crates = ["scruple-core", "scruple-fhir"]
no_crates = ["tokio"]
no_paths = ["std::fs"]
[sql]
scruple-store = "all SQL lives here"
[long_files]
"crates/scruple-core/src/long.rs" = "a table"
"#;

const ROOT: &str = r#"[workspace.dependencies]
# --- ours
scruple-core = { path = "crates/scruple-core" }

serde = "1" # formats
[workspace.lints.rust]
unsafe_code = "forbid"
"#;

const MANIFEST: &str = "[lints]\nworkspace = true\n";

/// A tree that no rule complains about, and what a test puts over it.
struct Case {
    texts: Vec<(String, String)>,
    /// Crate and its dependencies, as `name` or `name:kind`.
    packages: Vec<(&'static str, Vec<&'static str>)>,
}

impl Case {
    fn clean() -> Self {
        Self { texts: Vec::new(), packages: vec![("scruple-core", vec!["serde"])] }
            .file("Cargo.toml", ROOT)
            .file("ARCHITECTURE.md", "The code: `crates/scruple-core/`.\n")
            .file("crates/scruple-core/Cargo.toml", MANIFEST)
            .file("crates/scruple-core/src/lib.rs", "//! Words.\nuse serde::Serialize;\n")
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.texts.retain(|(p, _)| p != path);
        self.texts.push((path.to_owned(), text.to_owned()));
        self
    }

    fn package(mut self, name: &'static str, dependencies: &[&'static str]) -> Self {
        self.packages.retain(|(n, _)| *n != name);
        self.packages.push((name, dependencies.to_vec()));
        let folder = format!("crates/{name}");
        let uses: String =
            dependencies.iter().map(|d| format!("use {};\n", d.split(':').next().unwrap().replace('-', "_"))).collect();
        self.file(&format!("{folder}/Cargo.toml"), MANIFEST)
            .file(&format!("{folder}/src/lib.rs"), &format!("//! Words.\n{uses}"))
    }

    fn findings(self) -> Vec<Finding> {
        let packages: Vec<_> = self
            .packages
            .iter()
            .map(|(name, dependencies)| {
                let rows: Vec<_> = dependencies
                    .iter()
                    .map(|d| {
                        let (name, kind) = d.split_once(':').map_or((*d, None), |(n, k)| (n, Some(k)));
                        serde_json::json!({ "name": name, "rename": null, "kind": kind })
                    })
                    .collect();
                let manifest = format!("/here/crates/{name}/Cargo.toml");
                serde_json::json!({ "name": name, "manifest_path": manifest, "dependencies": rows })
            })
            .collect();
        let metadata = serde_json::json!({ "packages": packages, "workspace_root": "/here" }).to_string();
        let tree = Tree::new(self.texts, &metadata).unwrap();
        let edges = Edges::parse(EDGES).unwrap();
        let mut findings: Vec<_> = RULES.iter().flat_map(|(_, rule)| rule(&tree, &edges)).collect();
        findings.sort();
        findings
    }

    /// Exactly these: rule, path, line (0: none).
    #[track_caller]
    fn finds(self, expected: &[(&str, &str, usize)]) {
        let findings = self.findings();
        let found: Vec<_> = findings.iter().map(|f| (f.rule, f.path.as_str(), f.line.unwrap_or(0))).collect();
        assert_eq!(found, expected, "{findings:#?}");
    }
}

const LIB: &str = "crates/scruple-core/src/lib.rs";

#[track_caller]
fn core(rest: &str, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|(rule, line)| (*rule, LIB, *line)).collect();
    Case::clean().file(LIB, &format!("//! Words.\nuse serde::Serialize;\n{rest}")).finds(&expected);
}

#[test]
fn a_clean_tree_has_no_findings() {
    Case::clean().finds(&[]);
}

#[test]
fn the_shipped_edges_can_be_read_and_every_edge_has_a_reason() {
    Edges::shipped().unwrap();
    assert!(Edges::parse(&EDGES.replace("\"views\"", "\" \"")).is_err());
}

#[test]
fn an_edge_that_is_not_in_the_data_is_found() {
    let fhir = "crates/scruple-fhir/Cargo.toml";
    Case::clean().package("scruple-fhir", &["scruple-core"]).finds(&[]);
    Case::clean().package("scruple-core", &["serde", "scruple-fhir"]).package("scruple-fhir", &[]).finds(&[(
        "edge",
        "crates/scruple-core/Cargo.toml",
        0,
    )]);
    Case::clean()
        .package("scruple-fhir", &["scruple-new"])
        .package("scruple-new", &[])
        .finds(&[("edge", fhir, 0), ("edge", "crates/scruple-new/Cargo.toml", 0)]);
}

#[test]
fn what_a_listed_crate_depends_on_may_be_named_too() {
    Case::clean()
        .package("scruple-fhir", &["scruple-core"])
        .package("scruple-policy", &["scruple-fhir", "scruple-core"])
        .finds(&[]);
}

#[test]
fn dev_edges_are_apart_from_normal_ones() {
    let both = |kind| {
        Case::clean().package("scruple-testkit", &["scruple-core"]).package("scruple-policy", &[kind]).findings()
    };
    assert_eq!(both("scruple-testkit:dev"), []);
    assert_eq!(both("scruple-testkit").len(), 1);
    assert_eq!(both("scruple-testkit:build").len(), 1);
    let findings =
        Case::clean().package("scruple-testkit", &[]).package("scruple-fhir", &["scruple-testkit:dev"]).findings();
    assert_eq!(findings.len(), 1);
}

#[test]
fn third_party_crates_are_kept_to_the_crates_that_may_name_them() {
    let fhir = "crates/scruple-fhir/Cargo.toml";
    Case::clean().package("scruple-fhir", &["jiff"]).finds(&[("third-party", fhir, 0)]);
    Case::clean().package("scruple-fhir", &["jiff:dev"]).finds(&[("third-party", fhir, 0)]);
    Case::clean().package("scruple-fhir", &["anyhow"]).finds(&[("third-party", fhir, 0)]);
    Case::clean().package("scruple-fhir", &["anyhow:dev"]).finds(&[]);
}

#[test]
fn pure_layers_do_no_io() {
    core("fn f() { std::fs::read(\"x\"); }\n", &[("pure", 3)]);
    core("use std::fs;\n", &[("pure", 3)]);
    core("// std::fs\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    Case::clean().package("scruple-fhir", &["tokio"]).finds(&[("pure", "crates/scruple-fhir/Cargo.toml", 0)]);
    Case::clean().package("scruple-store", &["tokio"]).finds(&[]);
}

#[test]
fn ignored_tests_are_found() {
    core("#[cfg(test)]\nmod tests {\n    #[test]\n    #[ignore]\n    fn a() {}\n}\n", &[("ignored-test", 6)]);
    core("#[ignore = \"slow\"]\nfn a() {}\n", &[("ignored-test", 3)]);
    core("#[cfg_attr(windows, ignore)]\nfn a() {}\n", &[("ignored-test", 3)]);
    core("/// `#[ignore]`\nfn ignore() {}\n", &[]);
}

#[test]
fn a_way_past_the_decision_is_found() {
    core("fn f() { Projector::new(); }\n", &[("decision", 3)]);
    core("fn f() -> Projection { g() }\n", &[("decision", 3)]);
    core("#[cfg(test)]\nmod tests {\n    fn f() { Projector::new(); }\n}\n", &[]);
    core("fn f(_: &DecisionTable) {}\n", &[]);
}

#[test]
fn sleeping_tests_are_found() {
    core("#[cfg(test)]\nmod tests {\n    fn a() { std::thread::sleep(d); }\n}\n", &[("sleep-in-test", 5)]);
    core("fn a() { tokio::time::sleep(d); }\n", &[]);
    let found = |path| Case::clean().file(path, "//! Words.\nfn a() { sleep(d).await }\n").findings();
    assert_eq!(found("crates/scruple-core/tests/it/main.rs").len(), 1);
    assert_eq!(found("crates/scruple-core/src/clock/tests.rs").len(), 1);
    assert_eq!(found("crates/scruple-core/src/clock.rs").len(), 0);
    let by_module = Case::clean()
        .file(LIB, "//! Words.\nuse serde::Serialize;\n#[cfg(test)]\nmod props;\n")
        .file("crates/scruple-core/src/props.rs", "//! Words.\nfn a() { sleep(d) }\n");
    by_module.finds(&[("sleep-in-test", "crates/scruple-core/src/props.rs", 2)]);
}

#[test]
fn lint_exceptions_are_expected_with_a_reason() {
    core("#[allow(clippy::panic)]\nfn a() {}\n", &[("allow", 3)]);
    core("#![allow(clippy::panic, reason = \"x\")]\n", &[("allow", 3)]);
    core("#[cfg_attr(test, allow(unused))]\nfn a() {}\n", &[("allow", 3)]);
    core("#[expect(clippy::panic)]\nfn a() {}\n", &[("allow", 3)]);
    core("#[expect(clippy::panic, reason = \"x\")]\nfn allow() {}\n", &[]);
}

#[test]
fn unsafe_code_is_found_and_so_is_a_weaker_lint() {
    core("fn a() { unsafe { b() } }\n", &[("unsafe", 3)]);
    core("#![expect(unsafe_code, reason = \"x\")]\n", &[("unsafe", 3)]);
    core("// unsafe\nfn is_unsafe() { unsafe_code() }\n", &[]);
    let weaker = ROOT.replace("forbid", "deny");
    Case::clean().file("Cargo.toml", &weaker).finds(&[("unsafe", "Cargo.toml", 0)]);
}

#[test]
fn long_files_and_crates_are_found() {
    let text = |lines: usize| format!("//! Words.\n{}", "fn a() {}\n".repeat(lines - 1));
    let at = |path: &str, lines| Case::clean().file(path, &text(lines)).findings();
    assert_eq!(at("crates/scruple-core/src/a.rs", 1_000), []);
    assert_eq!(at("crates/scruple-core/src/a.rs", 1_001).len(), 1);
    assert_eq!(at("crates/scruple-core/src/long.rs", 1_001), []);
    let core_of = |files: usize| {
        (0..files).fold(Case::clean(), |case, n| case.file(&format!("crates/scruple-core/src/f{n}.rs"), &text(998)))
    };
    core_of(4).finds(&[]);
    core_of(5).finds(&[("crate-length", "crates/scruple-core", 0)]);
    let fhir = (0..21).fold(Case::clean().package("scruple-fhir", &["scruple-core"]), |case, n| {
        case.file(&format!("crates/scruple-fhir/src/f{n}.rs"), &text(1_000))
    });
    fhir.finds(&[("crate-length", "crates/scruple-fhir", 0)]);
}

#[test]
fn files_that_grow_long_are_noted() {
    let text = "fn a() {}\n".repeat(601);
    let texts = vec![("a.rs".to_owned(), text), ("b.rs".to_owned(), "fn a() {}\n".repeat(600))];
    let tree = Tree::new(texts, r#"{"packages":[],"workspace_root":"/here"}"#).unwrap();
    assert_eq!(super::source::long_files(&tree), ["a.rs has 601 lines (aim: under 600)"]);
}

#[test]
fn modules_without_docs_are_found() {
    let path = "crates/scruple-core/src/a.rs";
    Case::clean().file(path, "fn a() {}\n").finds(&[("module-doc", path, 1)]);
    Case::clean().file(path, "// Words.\nfn a() {}\n").finds(&[("module-doc", path, 1)]);
    Case::clean().file("crates/scruple-core/tests/it/main.rs", "fn a() {}\n").finds(&[]);
}

#[test]
fn crates_without_the_lints_are_found() {
    let path = "crates/scruple-core/Cargo.toml";
    Case::clean().file(path, "[package]\n").finds(&[("lints", path, 0)]);
    Case::clean().file(path, "[lints]\nworkspace = false\n").finds(&[("lints", path, 0)]);
}

#[test]
fn dependencies_without_a_reason_are_found() {
    let with = |lines: &str| {
        let root = ROOT.replace("serde = \"1\" # formats\n", lines);
        Case::clean().file("Cargo.toml", &root)
    };
    with("serde = \"1\"\n").finds(&[("dependency-reason", "Cargo.toml", 5)]);
    with("serde = \"1\" #\n").finds(&[("dependency-reason", "Cargo.toml", 5)]);
    with("# --- formats\nserde = \"1\"\n").finds(&[]);
    with("# --- formats\n\nserde = \"1\"\n").finds(&[("dependency-reason", "Cargo.toml", 7)]);
}

#[test]
fn dependencies_that_nothing_uses_are_found() {
    let root = ROOT.replace("# formats\n", "# formats\ntoml = \"1\" # files\n");
    Case::clean().file("Cargo.toml", &root).finds(&[("unused-dependency", "Cargo.toml", 6)]);
    let path = "crates/scruple-core/Cargo.toml";
    Case::clean().file(LIB, "//! Words of serde.\n").finds(&[("unused-dependency", path, 0)]);
}

#[test]
fn sql_outside_the_store_is_found() {
    let statement = |words: &[&str]| format!("const SQL: &str = \"{}\";\n", words.join(" "));
    core(&statement(&["SELECT", "1"]), &[("sql", 3)]);
    core(&statement(&["UPDATE", "a", "SET", "b"]), &[("sql", 3)]);
    core(&statement(&["UPDATE", "the", "pack"]), &[]);
    core(&statement(&["SELECT"]), &[]);
    let store = Case::clean()
        .package("scruple-store", &[])
        .file("crates/scruple-store/src/a.rs", &format!("//! Words.\n{}", statement(&["DELETE", "FROM", "a"])));
    store.finds(&[]);
    let theirs = format!("//! Words.\n{}", statement(&["DELETE", "FROM", "a"]));
    Case::clean().file("upstreams/a/src/main.rs", &theirs).finds(&[]);
    Case::clean().file("docs/a.sql", "x\n").finds(&[("sql", "docs/a.sql", 0)]);
}

#[test]
fn migrations_that_differ_between_engines_are_found() {
    let folder = "crates/scruple-store/migrations";
    let with = |names: &[&str]| {
        names
            .iter()
            .fold(Case::clean().package("scruple-store", &[]), |case, name| {
                case.file(&format!("{folder}/{name}"), "x\n")
            })
            .findings()
            .iter()
            .map(|f| (f.rule, f.path.replace(folder, "")))
            .collect::<Vec<_>>()
    };
    let at = |path: &str| ("migrations", path.to_owned());
    assert_eq!(with(&["sqlite/0001_a.sql", "postgres/0001_a.sql"]), []);
    assert_eq!(with(&["sqlite/0001_a.sql"]), [at("/sqlite/0001_a.sql")]);
    assert_eq!(
        with(&["sqlite/0001_a.sql", "postgres/0001_b.sql"]),
        [at("/postgres/0001_b.sql"), at("/sqlite/0001_a.sql")]
    );
    assert_eq!(
        with(&["sqlite/0001_a.sql", "sqlite/0001_b.sql", "postgres/0001_a.sql", "postgres/0001_b.sql"]),
        [at("/postgres/0001_b.sql"), at("/sqlite/0001_b.sql")]
    );
    assert_eq!(with(&["sqlite/1_A.sql", "postgres/1_A.sql"]), [at("/postgres/1_A.sql"), at("/sqlite/1_A.sql")]);
    assert_eq!(with(&["mysql/0001_a.sql"]), [at("/mysql/0001_a.sql")]);
}

#[test]
fn paths_in_the_architecture_that_are_gone_are_found() {
    let with = |text: &str| Case::clean().file("ARCHITECTURE.md", text);
    with("See `crates/scruple-core/src/lib.rs`, [core](crates/scruple-core), crates/*/src and crates/NAME{x}.\n")
        .finds(&[]);
    with("The map.\nSee `crates/scruple-core/src/gone.rs`.\n").finds(&[("stale-path", "ARCHITECTURE.md", 2)]);
    with("```\npolicy/   the pack\n```\n").finds(&[("stale-path", "ARCHITECTURE.md", 2)]);
    let mut none = Case::clean();
    none.texts.retain(|(path, _)| path != "ARCHITECTURE.md");
    none.finds(&[("stale-path", "ARCHITECTURE.md", 0)]);
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let with = |text: &str| Case::clean().file("docs/a.md", text);
    with("[a](../Cargo.toml) [b](#here) [c](https://example.org/x) [d](../docs/) [e](a.md#x)\n").finds(&[]);
    with("x\n[a](b.md)\n").finds(&[("dead-link", "docs/a.md", 2)]);
    with("[a](../../a.md)\n").finds(&[("dead-link", "docs/a.md", 1)]);
    with("```\n[a](b.md)\n```\n").finds(&[]);
    Case::clean().file("README.md", "[a](docs/b.md)\n").finds(&[("dead-link", "README.md", 1)]);
}

#[test]
fn white_space_is_found() {
    let space = "white-space";
    core("fn a() {} \n", &[(space, 3)]);
    core("\tfn a() {}\n", &[(space, 3)]);
    core("fn a() {}", &[(space, 0)]);
    core("fn a() {}\n\n", &[(space, 0)]);
    core("fn a() {}\r\n", &[(space, 3)]);
    Case::clean().file("docs/a.md", "a \n").finds(&[(space, "docs/a.md", 1)]);
    Case::clean().file("crates/scruple-core/tests/fixtures/a.md", "a \n").finds(&[]);
}

#[test]
fn paths_of_one_machine_are_found() {
    let (work, tmp) = (concat!("/wo", "rk/x"), concat!("/tm", "p/x"));
    let at = |path, text: &str| Case::clean().file(path, &format!("{text}\n")).findings().len();
    assert_eq!(at("docs/a.md", &format!("see {work}")), 1);
    assert_eq!(at("docs/a.md", &format!("`{tmp}`")), 1);
    assert_eq!(at("docs/a.md", &format!("https://example.org{work}")), 0);
    assert_eq!(at("docs/a.md", concat!("/ro", "ot/x")), 1);
    core(&format!("fn a() {{ \"{tmp}\" }}\n"), &[("machine-path", 3)]);
    core(&format!("#[test]\nfn a() {{ \"{tmp}\" }}\n"), &[]);
    core(&format!("#[test]\nfn a() {{ \"{work}\" }}\n"), &[("machine-path", 4)]);
}

#[test]
fn addresses_of_registries_are_found() {
    let npm = concat!("https://registry.npmjs", ".org/x");
    Case::clean().file("package-lock.json", &format!("{{\"resolved\": \"{npm}\"}}\n")).finds(&[(
        "registry-host",
        "package-lock.json",
        1,
    )]);
    let usual = concat!("source = \"registry+https://github.com/rust-lang/crates", ".io-index\"\n");
    Case::clean().file("Cargo.lock", usual).finds(&[]);
    Case::clean().file("Cargo.lock", "source = \"sparse+https://mirror.example/\"\n").finds(&[(
        "registry-host",
        "Cargo.lock",
        1,
    )]);
}

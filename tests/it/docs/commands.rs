//! Each command that a document shows is one that this program takes; those that only look are run.

use std::net::SocketAddr;

use clap::error::ErrorKind;

use super::ANNOUNCED;
use crate::dns;
use crate::lab::Lab;
use crate::pki::Leaf;
use crate::tree;

/// What the pages show is typed against: the samples, with files where they name them.
const SAMPLE: &str = include_str!("../../../config/edge.toml");

/// A command of this program, without its own name, and where it stands.
#[derive(Debug)]
struct Shown {
    page: String,
    words: Vec<String>,
    /// Whether it stands in a block, whole; else in a sentence or a table, where parts may be left out.
    is_whole: bool,
}

#[test]
fn every_command_in_the_documents_is_taken() {
    let mut wrong = Vec::new();
    let shown = shown();
    assert!(
        shown.iter().filter(|it| it.is_whole).count() > 20,
        "{shown:?}"
    );
    for one in shown {
        if { ANNOUNCED.iter() }.any(|name| one.words.first().is_some_and(|word| word == name)) {
            continue;
        }
        let words = std::iter::once("xmpp-edge").chain(one.words.iter().map(String::as_str));
        let Err(error) = xmpp_edge::cli::definition().try_get_matches_from(words) else {
            continue;
        };
        let taken = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => !one.is_whole,
            _ => false,
        };
        if !taken {
            wrong.push(format!("{}: {:?}\n{error}", one.page, one.words));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands that neither listen nor connect are run, in a directory as the pages assume it.
#[test]
fn the_commands_that_only_look_come_out_well() {
    let name_server = dns::serve("");
    let mut run = 0;
    for one in shown().into_iter().filter(|it| it.is_whole) {
        let name = one.words.first().map_or("", String::as_str);
        if !["check", "dns", "certificate", "partner-sheet"].contains(&name) {
            continue;
        }
        // The page for newcomers has its names in variables of the shell.
        let named: Vec<_> = (one.words.iter())
            .map(|word| word.replace("$domain", "contoso.example"))
            .collect();
        let mut words: Vec<_> = named.iter().map(String::as_str).collect();
        let is_given = |option| one.words.iter().any(|word| word == option);
        // With a daemon, `check::running` runs it.
        if is_given("--running") {
            continue;
        }
        let file = words.get(2).is_some_and(|word| !word.starts_with('-'));
        let is_about_a_file = name == "certificate" && file;
        if !is_given("--config") && !is_about_a_file {
            words.extend(["--config", "edge.toml"]);
        }
        let lab = sample(name_server);
        // The file that is asked for here is there elsewhere on the page, later.
        for (option, file) in one.words.iter().zip(one.words.iter().skip(1)) {
            if option == "--out-key" {
                std::fs::remove_file(lab.path(file)).unwrap_or_default();
            }
        }
        let (status, output, errors) = lab.run(&words);
        // The name server that is asked has nothing.
        let want = if is_given("--verify") { 78 } else { 0 };
        assert_eq!(status, want, "{}: {words:?}\n{output}{errors}", one.page);
        run += 1;
    }
    assert!(run > 10, "{run}");
}

fn sample(name_server: SocketAddr) -> Lab {
    let servers = "# nameservers = [\"192.0.2.53:53\", \"2001:db8::53\"]";
    let identity = "# [[identity]]\n# domains = [\"eu.contoso.example\"]\n\
                    # certificate-chain = \"tls/eu.pem\"\n# private-key = \"tls/eu.key\"\n";
    let edge = SAMPLE
        .replace(
            "[\"contoso.example\"]",
            "[\"contoso.example\", \"eu.contoso.example\"]",
        )
        .replace(servers, &format!("nameservers = [\"{name_server}\"]"))
        .replace(identity, &identity.replace("# ", ""))
        .replace("/var/lib/xmpp-edge", "state");
    assert!(edge.contains("\n[[identity]]\n") && edge.contains("\nnameservers = "));
    let lab = Lab::with(&edge, include_str!("../../../config/partners.toml"));
    for (name, from) in [
        ("tls/fullchain.pem", "edge.pem"),
        ("tls/privkey.pem", "edge.key"),
        ("tls/eu.pem", "eu.pem"),
        ("tls/eu.key", "eu.key"),
        ("new.pem", "edge.pem"),
        ("new.key", "edge.key"),
    ] {
        let text = std::fs::read_to_string(lab.path(from)).unwrap();
        lab.write(name, &text, 0o600);
    }
    let partner = Leaf::new(&["fabrikam.example"]).self_signed();
    lab.write("partner.pem", &partner.chain_pem(), 0o600);
    lab
}

fn shown() -> Vec<Shown> {
    let mut pages = tree::files("docs", "md");
    pages.push(tree::Source {
        path: "README.md".into(),
        text: tree::read("README.md"),
    });
    let mut found = Vec::new();
    for page in pages {
        for (line, is_whole) in lines(&page.text) {
            found.extend(commands(&line).into_iter().map(|words| Shown {
                page: page.path.clone(),
                words,
                is_whole,
            }));
        }
    }
    found
}

/// The lines of all blocks of a page that are typed, and the spans between backticks.
fn lines(text: &str) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = Vec::new();
    let mut fence = None;
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = fence.is_none().then(|| language.to_owned());
            continue;
        }
        let block = match fence.as_deref() {
            Some("sh" | "console") => Some(line),
            Some(_) => continue,
            None => line.strip_prefix("    "),
        };
        match block {
            Some(line) => {
                let line = line.trim().trim_start_matches("$ ");
                let begun = line.strip_suffix('\\');
                let part = begun.unwrap_or(line).trim();
                match found.last_mut().filter(|_| goes_on) {
                    Some((whole, _)) => *whole = format!("{whole} {part}"),
                    None => found.push((part.to_owned(), true)),
                }
                goes_on = begun.is_some();
            }
            None => {
                let spans = super::code_spans(line).into_iter();
                found.extend(spans.map(|span| (span, false)));
            }
        }
    }
    found
}

/// The commands of this program in a line of a shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ' | '|' | '&' | ';') => {
                if !word.is_empty() {
                    let last = commands.last_mut().unwrap();
                    last.push(std::mem::take(&mut word));
                }
                if c != ' ' {
                    commands.push(Vec::new());
                }
            }
            _ => word.push(c),
        }
    }
    let own = commands.into_iter().filter_map(|words: Vec<String>| {
        let start = match words.first()?.as_str() {
            "xmpp-edge" => 0,
            "runuser" => {
                words
                    .iter()
                    .position(|word| word == "xmpp-edge" || word == "--")?
                    + 1
            }
            _ => return None,
        };
        let rest = words.get(start..)?;
        let start = rest.iter().position(|word| word == "xmpp-edge")?;
        let rest = &rest[start + 1..];
        let rest = rest.iter().take_while(|word| !word.starts_with(['>', '<']));
        let word = |word: &String| match word.as_str() {
            "$partner" | "DOMAIN" | "LOCAL-DOMAIN" => "fabrikam.example".to_owned(),
            other => other.to_owned(),
        };
        Some(rest.map(word).collect())
    });
    own.collect()
}

/// Pages whose commands are typed one by one, in their order: who does it.
const FOLLOWED: [(&str, &str); 5] = [
    ("docs/getting-started.md", "tests/interop/cases/newcomer.py"),
    ("docs/gateway-link.md", "tests/interop/lab/guide.py"),
    ("docs/operations.md", "tests/package/trial.py"),
    ("docs/before-prosody.md", "tests/package/trial.py"),
    ("docs/partners.md", "tests/package/trial.py"),
];

/// A command that nobody types rots. Our own are held against the command line above; what else a page
/// shows stands on a page that is followed, or is a script of this repository.
#[test]
fn every_command_in_the_documents_is_typed_by_somebody() {
    let mut untyped = Vec::new();
    for page in tree::files("docs", "md") {
        let followed = FOLLOWED.iter().find(|(path, _)| *path == page.path);
        if let Some((_, by)) = followed {
            let name = page.path.trim_start_matches("docs/");
            assert!(tree::read(by).contains(name), "{by} does not read {name}");
            continue;
        }
        let is_ours = |line: &str| {
            let starts = [
                "xmpp-edge ",
                ".ci/",
                "tests/",
                "cargo ",
                "PROPTEST",
                "XMPP_EDGE_",
            ];
            starts.iter().any(|start| line.starts_with(start))
        };
        let whole = lines(&page.text).into_iter().filter(|(_, it)| *it);
        let typed = whole.filter(|(line, _)| !line.is_empty() && !is_ours(line));
        untyped.extend(typed.map(|(line, _)| format!("{}: {line}", page.path)));
    }
    untyped.retain(|line| !NO_COMMANDS.iter().any(|it| line.starts_with(it)));
    assert!(untyped.is_empty(), "{}", untyped.join("\n"));
}

/// Indented, and not to be typed into a shell; what is said by the admin socket, `it::status` hears, and
/// what is asked of metrics is asked of Prometheus.
const NO_COMMANDS: &[&str] = &[
    "docs/architecture.md: ",
    "docs/contributing.md: ",
    "docs/security.md: ",
    "docs/reference/admin.md: ",
    "docs/reference/metrics.md: ",
    "docs/reference/trace.md: ",
];

/// The sections of the page for administrators that are followed are there, in this order; of the rest
/// nothing is left out.
#[test]
fn the_trial_of_the_package_knows_the_page_that_it_follows() {
    let page = tree::read("docs/operations.md");
    let trial = tree::read("tests/package/trial.py");
    let line = trial
        .lines()
        .find_map(|it| it.strip_prefix("FIRST, STARTED, LAST = "));
    let places: Vec<_> = { line.unwrap().split('"').skip(1).step_by(2) }
        .map(|title| page.find(&format!("\n## {title}\n")).expect(title))
        .collect();
    assert!(places.is_sorted() && places.len() == 3, "{places:?}");
    let looks = trial.lines().find_map(|it| it.strip_prefix("LOOKS = "));
    let looks: Vec<_> = looks.unwrap().split('"').skip(1).step_by(2).collect();
    let rest = page[places[2] + 1..].split_once("\n## ").unwrap().1;
    // `it::traces::command` runs the last two.
    let run_here = [
        "check",
        "dns",
        "certificate",
        "partner-sheet",
        "trace",
        "replay",
    ];
    let run_here = run_here.map(|name| format!("xmpp-edge {name}"));
    let left_out: Vec<_> = lines(rest)
        .into_iter()
        .filter(|(line, is_whole)| *is_whole && !line.is_empty())
        .map(|(line, _)| line)
        .filter(|line| {
            let is_run = looks.iter().any(|look| line.starts_with(look))
                || run_here.iter().any(|start| line.starts_with(start));
            // The equation of the ledger, and what an administrator types at home.
            !is_run && !line.starts_with("accepted = ") && !line.starts_with("ssh -L ")
        })
        .collect();
    assert!(left_out.is_empty(), "nobody types these: {left_out:?}");
}

#[test]
fn the_scanner_of_commands_sees_what_it_should() {
    for (line, want) in [
        (
            "xmpp-edge check && systemctl reload xmpp-edge",
            &["check"][..],
        ),
        ("runuser -u xmpp-edge -- xmpp-edge check", &["check"]),
        (
            "xmpp-edge check --format json | jq '.a | .b'",
            &["check --format json"],
        ),
        (
            "xmpp-edge explain \"$partner\" > out; xmpp-edge demo",
            &["explain fabrikam.example", "demo"],
        ),
        ("journalctl -u xmpp-edge", &[]),
    ] {
        let found: Vec<_> = commands(line).iter().map(|words| words.join(" ")).collect();
        assert_eq!(found, want, "{line}");
    }
    let page = "say `xmpp-edge x`\n\n    xmpp-edge y \\\n        --z\n\n```text\nxmpp-edge no\n```\n\
                ```sh\nxmpp-edge v\n```\n";
    let found: Vec<_> = lines(page)
        .into_iter()
        .filter(|(line, _)| !line.is_empty())
        .collect();
    let want = [
        ("xmpp-edge x", false),
        ("xmpp-edge y --z", true),
        ("xmpp-edge v", true),
    ];
    assert_eq!(
        found,
        want.map(|(line, is_whole)| (line.to_owned(), is_whole))
    );
}

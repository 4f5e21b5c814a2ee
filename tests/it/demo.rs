//! `xmpp-edge demo`: it comes out as it should, fits on a screen, and leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::daemon;
use crate::lab::Lab;
use crate::tree;

/// How long the next line may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that a reader must find, in this order, below each other.
const STORY: &[&str] = &[
    "1. fabrikam.example: proven by certificate (SASL EXTERNAL)                    ok",
    "   alice@contoso.example -> bob@fabrikam.example",
    "     the log says  stream authenticated, method=sasl-external, tls=1.3",
    "   bob@fabrikam.example -> alice@contoso.example",
    "     the log says  stream authenticated, method=sasl-external, tls=1.3",
    "2. northwind.example: proven by DNS (dialback over TLS)                       ok",
    "     the log says  stream authenticated, method=tls-dialback, tls=1.3",
    "     the log says  stream authenticated, method=tls-dialback, tls=1.3",
    "3. adatum.example: proven by DNS (dialback over plain TCP)                    ok",
    "     the log says  stream authenticated, method=tcp-dialback, no TLS",
    "     the log says  stream authenticated, method=tcp-dialback, no TLS",
    "4. stranger.example: refused by policy                                        ok",
    "     alice is told not-allowed: stranger.example is not a partner: no entry of",
    "     the log says  stanza bounced, reason=unknown-partner",
    "     sid is told   remote-server-timeout: the other side ended the stream:",
    "     the log says  stream refused, reason=unknown-partner",
    "5. lapsed.example: refused for its certificate                                ok",
    "     alice is told remote-server-timeout: the certificate expired on",
    "     the log says  stanza bounced, reason=expired",
    "     the log says  stream refused, reason=expired",
    "   fabrikam.example      in         6 =         6 +       0 +       0 +      0",
    "   lapsed.example        out        1 =         0 +       1 +       0 +      0",
    "   all                             37 =        36 +       1 +       0 +      0",
];

#[test]
fn every_step_comes_out_as_it_should() {
    let temporary = tempfile::tempdir().unwrap();
    let output = demo(temporary.path()).output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{screen}{complaint}");
    assert_eq!(complaint, "");
    let mut lines = screen.lines();
    for wanted in STORY {
        assert!(lines.any(|line| line == *wanted), "{wanted}\nin\n{screen}");
    }
    let verdict = "All 5 steps came out as they should";
    assert!(lines.any(|line| line.starts_with(verdict)), "{screen}");
    for line in screen.lines() {
        assert!(fits(line), "too long: {line}");
        assert!(
            !line.contains('\u{1b}'),
            "colour without a terminal: {line}"
        );
    }
    assert!(is_empty(temporary.path()));
    let mut lines = screen.lines();
    for shown in readme("text").remove(0).lines().filter(|line| *line != "…") {
        assert!(
            lines.any(|line| line == shown),
            "in README.md only: {shown}"
        );
    }
}

#[test]
fn the_configuration_in_the_readme_can_be_used() {
    let files = readme("toml");
    let [edge, partners] = files.as_slice() else {
        panic!("two files: {files:?}");
    };
    let edge = edge.replace("[tls]\n", "[tls]\ntrust-anchors = \"ca.pem\"\n");
    let lab = Lab::with(&edge, partners);
    for (name, from) in [
        ("tls/fullchain.pem", "edge.pem"),
        ("tls/privkey.pem", "edge.key"),
    ] {
        let text = std::fs::read_to_string(lab.path(from)).unwrap();
        lab.write(name, &text, 0o600);
    }
    let (status, output, _) = lab.run(&["check", "--config", "edge.toml"]);
    assert_eq!(status, 0, "{output}");
    assert!(
        output.contains("northwind.example  tls-dialback"),
        "{output}"
    );
}

#[test]
fn kept_it_reloads_and_then_clears_up() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = demo(temporary.path());
    let command = command.arg("--keep").stdout(Stdio::piped());
    let mut demo = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    let mut until = |wanted: &str| {
        let mut line = lines.by_ref().map(Result::unwrap);
        line.find(|line| {
            // Where the directory is, and what the log says, is as long as it is.
            let free = ["     cd ", " event=", " --> "];
            assert!(
                fits(line) || free.iter().any(|part| line.contains(part)),
                "{line}"
            );
            line.contains(wanted)
        })
        .expect(wanted)
    };
    let directory = until("     cd ")
        .trim()
        .trim_start_matches("cd ")
        .to_owned();
    until("The log from here on:");
    let partners = Path::new(&directory).join("contoso.example/partners.toml");
    let mut text = std::fs::read_to_string(&partners).unwrap();
    text.push_str("[[partner]]\nprimary-domain = \"stranger.example\"\ntype = \"federated\"\n");
    std::fs::write(&partners, &text).unwrap();
    signal(&demo.0, "HUP");
    let reloaded = until("configuration reloaded");
    assert!(reloaded.contains("+stranger.example"), "{reloaded}");
    std::fs::write(&partners, text + "nonsense\n").unwrap();
    signal(&demo.0, "HUP");
    until("Not reloaded; nothing has changed.");
    signal(&demo.0, "TERM");
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
    assert!(is_empty(temporary.path()));
}

/// Links share conversations: were the demo's own gateway still there, it would get some of the answers.
#[test]
fn kept_it_leaves_every_answer_to_the_gateway_that_the_user_connects() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = demo(temporary.path());
    let command = command.arg("--keep").stdout(Stdio::piped());
    let mut demo = Running(command.spawn().unwrap());
    let (say, screen) = std::sync::mpsc::channel();
    let output = BufReader::new(demo.0.stdout.take().unwrap());
    std::thread::spawn(move || output.lines().try_for_each(|line| say.send(line.unwrap())));
    let until = |wanted: &str| {
        let mut lines = std::iter::from_fn(|| screen.recv_timeout(PATIENCE).ok());
        lines.find(|line| line.contains(wanted)).expect(wanted)
    };
    let directory = until("     cd ");
    let directory = Path::new(directory.trim().trim_start_matches("cd "));
    let address = until(", for contoso.example");
    let address = address.trim().split(',').next().unwrap();
    let secret = std::fs::read_to_string(directory.join("contoso.example/gateway.secret")).unwrap();
    until("The log from here on:");
    for _ in 0..2 {
        let link = TcpStream::connect(address).unwrap();
        let link = daemon::link_by(link, "contoso.example", secret.trim());
        until("event=link-down");
        for user in ["you", "she", "he", "anne", "paul", "mia", "tom", "ada"] {
            let message = format!(
                "<message type='chat' from='{user}@contoso.example' to='bob@fabrikam.example'>\
                 <body>Hello</body></message>"
            );
            let answer = daemon::converse(&link, &message, "</message>");
            assert!(answer.contains("<body>Re: Hello</body>"), "{answer}");
        }
        drop(link);
        // The demo's own is there again, and leaves once more.
        until("event=link-down");
        until("event=link-up");
    }
    signal(&demo.0, "TERM");
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
}

/// A process that does not outlive its test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself if the test went well.
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

/// The blocks of README.md that are marked as being in a language.
fn readme(language: &str) -> Vec<String> {
    let text = tree::read("README.md");
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

fn demo(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"));
    command.arg("demo").env("TMPDIR", temporary);
    command
}

/// Whether a line fits on the screen, the way to this very program left aside.
fn fits(line: &str) -> bool {
    let line = line.replace(env!("CARGO_BIN_EXE_xmpp-edge"), "xmpp-edge");
    line.chars().count() <= 80
}

fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    let status = Command::new("kill").args(["-s", name, &id]).status();
    assert!(status.unwrap().success());
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

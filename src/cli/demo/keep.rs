//! `--keep`: the stage stays, and what the edge decides is shown as it happens.

use std::process;
use std::time::Duration;

use super::cast::OURS;
use super::files;
use super::gateway::Gateway;
use super::program::program;
use super::screen::{Ink, Screen};
use super::stage::{Actor, Stage};
use super::trouble::Trouble;
use crate::config::report::WIDTH;
use crate::ops::signals::{Signal, Signals};

/// A component of the user's own, in the library that most of them know.
const COMPONENT: &str = include_str!("keep/component.py");
/// How often it is looked whether the user's gateway is there; the component waits for longer.
const GLANCE: Duration = Duration::from_millis(100);

/// Says how to talk to the edge, then shows its log until a signal says stop.
pub(super) async fn keep(
    screen: Screen,
    stage: &mut Stage,
    signals: &mut Signals,
) -> Result<(), Trouble> {
    let component = stage.directory().join("component.py");
    let ours = &stage.ours;
    let source = COMPONENT
        .replace("@SECRET@", &ours.files.secret)
        .replace("@PORT@", &ours.edge.gateway.port().to_string());
    files::private(&component, &source)?;
    instructions(screen, stage);
    let ours = &mut stage.ours;
    let mut mark = ours.edge.witness.count();
    let mut glances = tokio::time::interval(GLANCE);
    loop {
        tokio::select! {
            () = ours.edge.witness.more_than(mark) => {
                for decision in ours.edge.witness.since(mark) {
                    mark += 1;
                    screen.say(&decision.line);
                }
            }
            _ = glances.tick() => make_room(ours).await,
            signal = signals.next() => match signal {
                Signal::Reload => if let Err(trouble) = ours.edge.reload().await {
                    let verdict = screen.ink(Ink::Bad, "Not reloaded; nothing has changed.");
                    screen.say(&format!("{}\n{verdict}", trouble.0));
                },
                Signal::Drain | Signal::Stop => return Ok(()),
            },
        }
    }
}

/// Links of one domain share its conversations, so an answer might go to our own gateway and not to
/// the user's. Ours leaves when another comes, and is there again when nobody else is.
async fn make_room(ours: &mut Actor) {
    match ours.edge.links() {
        0 if ours.gateway.is_none() => {
            let gateway = Gateway::connect(ours.edge.gateway, ours.domain, &ours.files.secret);
            // The user may have changed the secret: then the log says so, and ours stays away.
            ours.gateway = gateway.await.ok();
        }
        0 | 1 => {}
        _ => ours.gateway = None,
    }
}

fn instructions(screen: Screen, stage: &Stage) {
    let ours = &stage.ours;
    let directory = stage.directory().display();
    let (s2s, link) = (ours.edge.s2s, ours.edge.gateway);
    let process = process::id();
    let program = program(None);
    screen.heading("It is still running. Talk to it from another terminal");
    let items = [
        ("All its files are here:", format!("cd {directory}")),
        (
            "Look at it in a browser:",
            format!("http://{}/", ours.edge.http),
        ),
        (
            "See the edge's certificate, as a partner or a monitor sees it:",
            format!(
                "openssl s_client -connect {s2s} -starttls xmpp-server \\\n    \
                 -xmpphost {OURS} -CAfile authority.pem"
            ),
        ),
        (
            "Be the gateway yourself (XEP-0114; ours leaves when another comes):",
            "python3 -m venv venv && venv/bin/pip install slixmpp\n\
             venv/bin/python component.py bob@fabrikam.example Hello\n\
             venv/bin/python component.py sid@stranger.example Hello"
                .to_owned(),
        ),
        (
            "Or connect your own component; the secret is in a file:",
            format!("{link}, for {OURS}\ncat {OURS}/gateway.secret"),
        ),
        (
            "Admit the stranger, without a restart, and write to him again:",
            format!(
                "printf '[[partner]]\\nprimary-domain = \"stranger.example\"\\n' \\\n    \
                 >> {OURS}/partners.toml\n\
                 printf 'type = \"federated\"\\n' >> {OURS}/partners.toml\n\
                 {program} check \\\n    --config {OURS}/edge.toml\n\
                 kill -HUP {process}"
            ),
        ),
    ];
    for (title, commands) in items {
        screen.say(&format!("\n   {title}"));
        for line in commands.lines() {
            screen.say(&format!("     {line}"));
        }
    }
    let title = "Ctrl-C ends it and removes the directory. The log from here on:";
    screen.say(&format!("\n{title}\n{}", "-".repeat(WIDTH)));
}

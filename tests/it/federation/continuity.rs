//! A partner's certificate changes: what the operator hears of it, and when.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::net::TcpListener;
use xmpp_edge::config::Config;
use xmpp_edge::net::daemon::Daemon;
use xmpp_edge::ops::systemd::Listeners;
use xmpp_edge::proto::auth::certificate::CertFacts;
use xmpp_edge::proto::auth::pin::Pin;
use xmpp_edge::store::Contacts;

use super::diary::Diary;
use super::partner;
use super::wire::Tls;
use crate::daemon::process;
use crate::lab::{FREE_PORTS, Lab};
use crate::pki::{self, Authority, Leaf};

const FABRIKAM: &str = "fabrikam.example";
const ISSUER: &str = "certificate-issuer-changed";
const KEY: &str = "certificate-key-changed";

const ENTRY: &str = "[[partner]]\nprimary-domain = \"fabrikam.example\"\n\
    additional-domains = [\"*.fabrikam.example\"]\ntype = \"federated\"\n";

/// A configuration that trusts these authorities, and how partners come with their certificates.
struct Scene {
    lab: Lab,
    edge_anchors: RootCertStore,
    authorities: Vec<Authority>,
}

impl Scene {
    fn new(partners: &str, authorities: &[&str]) -> Self {
        let lab = Lab::with(&FREE_PORTS, partners);
        let mut edge_anchors = RootCertStore::empty();
        let path = lab.path("ca.pem");
        let own = CertificateDer::from_pem_file(&path).unwrap();
        let mut trusted = pki::pem(&own);
        edge_anchors.add(own).unwrap();
        let authorities: Vec<_> = authorities.iter().map(|it| Authority::root(it)).collect();
        for authority in &authorities {
            trusted += &pki::pem(&authority.certificate);
        }
        lab.write("ca.pem", &trusted, 0o644);
        Self {
            lab,
            edge_anchors,
            authorities,
        }
    }

    /// A new certificate for these names, by the authority of that number.
    fn issue(&self, authority: usize, names: &[&str]) -> Tls {
        let leaf = Leaf::new(names).server_only();
        let identity = self.authorities[authority].issue(leaf);
        Tls::new(&identity, self.edge_anchors.clone())
    }

    /// An edge in this process, whose counters can be read.
    async fn edge(&self) -> Daemon {
        let config = Config::load(&self.lab.path("edge.toml"), UnixTime::now()).unwrap();
        Daemon::start(config.config, Listeners::default())
            .await
            .unwrap()
    }
}

/// Opens a stream in the partner's name, and ends it.
async fn come(edge: SocketAddr, domain: &str, tls: &Tls) {
    partner::enter(edge, tls, domain).await.unwrap();
}

/// The alarms that were counted.
fn counted(daemon: &Daemon) -> BTreeMap<&'static str, u64> {
    let mut reasons = daemon.edge().ledger.reasons();
    reasons.retain(|code, _| [ISSUER, KEY].contains(code));
    reasons
}

#[tokio::test]
async fn another_issuer_or_key_is_told_once_and_again_never_also_across_a_restart() {
    let scene = Scene::new(ENTRY, &["One", "Two", "Three"]);
    let [one, two, three] = [0, 1, 2].map(|it| scene.issue(it, &[FABRIKAM]));
    let renewed = scene.issue(0, &[FABRIKAM]);

    let daemon = process::Daemon::start(&scene.lab);
    for _ in 0..2 {
        come(daemon.s2s, FABRIKAM, &one).await;
    }
    come(daemon.s2s, FABRIKAM, &two).await;
    let alarm = daemon.log_line(ISSUER);
    for part in [
        "WARN",
        "CN=Two",
        "CN=One",
        FABRIKAM,
        "\"inbound\"",
        "sha256:",
    ] {
        assert!(alarm.contains(part), "{part} in {alarm}");
    }
    // Two hosts with certificates of their own take turns.
    for _ in 0..3 {
        come(daemon.s2s, FABRIKAM, &one).await;
        come(daemon.s2s, FABRIKAM, &two).await;
    }
    come(daemon.s2s, FABRIKAM, &renewed).await;
    let notice = daemon.log_line(KEY);
    assert!(
        notice.contains("INFO") && notice.contains("CN=One"),
        "{notice}"
    );
    let log = ends(daemon);
    assert_eq!(told(&log), [ISSUER, KEY], "{log:#?}");

    let daemon = process::Daemon::start(&scene.lab);
    for tls in [&renewed, &two, &one, &three, &three] {
        come(daemon.s2s, FABRIKAM, tls).await;
    }
    let alarm = daemon.log_line(ISSUER);
    assert!(alarm.contains("CN=Three"), "{alarm}");
    let log = ends(daemon);
    assert_eq!(told(&log), [ISSUER], "{log:#?}");
}

/// Stops a daemon, and gives its whole log.
fn ends(daemon: process::Daemon) -> Vec<String> {
    let log = daemon.whole_log();
    daemon.signal("TERM");
    daemon.ends_with(0);
    log.lock().unwrap().clone()
}

fn told(log: &[String]) -> Vec<&'static str> {
    let alarm = |line: &String| {
        [ISSUER, KEY]
            .into_iter()
            .find(|event| line.contains(&format!("\"{event}\"")))
    };
    log.iter().filter_map(alarm).collect()
}

#[tokio::test]
async fn changes_are_counted_in_both_directions() {
    let (listener, entries) = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, format!("{ENTRY}route = [\"{address}\"]\n"))
    };
    let scene = Scene::new(&entries, &["One", "Two"]);
    let server = scene.issue(1, &[FABRIKAM]);
    let outside = Arc::<Diary>::default();
    tokio::spawn(partner::serve(listener, server, Arc::clone(&outside)));

    let daemon = scene.edge().await;
    come(daemon.s2s[0], FABRIKAM, &scene.issue(0, &[FABRIKAM])).await;
    assert_eq!(counted(&daemon), BTreeMap::new());
    let gateway = super::stage::gateway(daemon.gateway[0], Arc::default()).await;
    let message = format!(
        "<message from='b@contoso.example' to='a@{FABRIKAM}' id='o1'><body>hi</body></message>"
    );
    gateway.send(message).unwrap();
    outside.find(&["id='o1'"]).await;
    assert_eq!(counted(&daemon), BTreeMap::from([(ISSUER, 1)]));
    come(daemon.s2s[0], FABRIKAM, &scene.issue(1, &[FABRIKAM])).await;
    let want = BTreeMap::from([(ISSUER, 1), (KEY, 1)]);
    assert_eq!(counted(&daemon), want);
}

/// Only what the partner file lists is remembered, however many domains come.
#[tokio::test]
async fn strangers_and_subdomains_take_no_room() {
    let open = format!("{ENTRY}[default-partner]\ntype = \"public-unverified\"\n");
    let scene = Scene::new(&open, &["One", "Two"]);
    let daemon = scene.edge().await;
    let names = [
        "a.fabrikam.example",
        "b.fabrikam.example",
        "stranger.example",
    ];
    for authority in [0, 1] {
        for name in names {
            come(daemon.s2s[0], name, &scene.issue(authority, &[name])).await;
        }
    }
    // One for the second host, one for the other issuer, one for its second host.
    let want = BTreeMap::from([(ISSUER, 1), (KEY, 2)]);
    assert_eq!(counted(&daemon), want);
    let seen = |entry: &str| daemon.edge().certificates.history(entry).seen().len();
    for (entry, want) in [
        ("*.fabrikam.example", 4),
        ("a.fabrikam.example", 0),
        ("stranger.example", 0),
    ] {
        assert_eq!(seen(entry), want, "{entry}");
    }
}

/// The same pins, first to watch and then to hold to, with a partner that changes its authority.
#[tokio::test]
async fn who_changes_to_a_key_that_is_not_pinned_is_told_of_or_kept_out() {
    let scene = Scene::new(ENTRY, &["One", "Two"]);
    let pin = |authority: usize| {
        let facts = CertFacts::of(&scene.authorities[authority].certificate).unwrap();
        Pin(facts.spki_sha256)
    };
    let pinned = format!("{ENTRY}certificate-pins = [\"{}\"]\n", pin(0));
    let watched = format!("{pinned}certificate-pins-enforced = false\n");
    let [one, two] = [0, 1].map(|it| scene.issue(it, &[FABRIKAM]));
    scene.lab.write("partners.toml", &watched, 0o644);
    let daemon = process::Daemon::start(&scene.lab);
    for tls in [&one, &two] {
        come(daemon.s2s, FABRIKAM, tls).await;
    }
    // What the operator would have to pin.
    let told = daemon.log_line("certificate-not-pinned");
    assert!(
        told.contains("WARN") && told.contains(&pin(1).to_string()),
        "{told}"
    );
    let mut kept_out = partner::enter(daemon.s2s, &two, FABRIKAM).await.unwrap().0;
    scene.lab.write("partners.toml", &pinned, 0o644);
    daemon.signal("HUP");
    let done = daemon.log_line("reload-done");
    assert!(
        done.contains("~fabrikam.example (certificate-pins-enforced)"),
        "{done}"
    );
    let error = partner::written(&kept_out.element().await.unwrap());
    assert!(error.contains("policy-violation"), "{error}");
    come(daemon.s2s, FABRIKAM, &one).await;
    assert!(partner::enter(daemon.s2s, &two, FABRIKAM).await.is_err());
    let rejected = daemon.log_line("certificate-rejected");
    for part in ["not-pinned", &pin(1).to_string(), "CN=Two"] {
        assert!(rejected.contains(part), "{part} in {rejected}");
    }
}

/// A bad certificate is nobody's: it is neither told of as a change nor remembered.
#[tokio::test]
async fn only_good_chains_count() {
    let scene = Scene::new(ENTRY, &["One"]);
    let daemon = scene.edge().await;
    come(daemon.s2s[0], FABRIKAM, &scene.issue(0, &[FABRIKAM])).await;
    let identity = Authority::root("Unknown").issue(Leaf::new(&[FABRIKAM]));
    let unknown = Tls::new(&identity, scene.edge_anchors.clone());
    let wrong = scene.issue(0, &["other.example"]);
    for tls in [&unknown, &wrong] {
        let entered = partner::enter(daemon.s2s[0], tls, FABRIKAM).await;
        assert!(entered.is_err());
    }
    assert_eq!(counted(&daemon), BTreeMap::new());
    let history = daemon.edge().certificates.history(FABRIKAM);
    assert_eq!(history.seen().len(), 1);
}

/// What was seen before a change of contacts that was answered survives with it; after it, at
/// most the last alarm is raised once more.
#[tokio::test]
async fn kill_9_loses_no_alarm() {
    let scene = Scene::new(ENTRY, &["One", "Two", "Three", "Four"]);
    let state = scene.lab.path("state");
    let mut shown = Vec::new();
    for authority in 0..scene.authorities.len() {
        let tls = scene.issue(authority, &[FABRIKAM]);
        let daemon = process::Daemon::start(&scene.lab);
        for before in &shown {
            come(daemon.s2s, FABRIKAM, before).await;
        }
        come(daemon.s2s, FABRIKAM, &tls).await;
        if authority > 0 {
            let name = format!(
                "issued by CN={},",
                ["One", "Two", "Three", "Four"][authority]
            );
            let alarm = daemon.log_line(ISSUER);
            assert!(alarm.contains(&name), "{alarm}");
        }
        let friend = format!("friend{authority}@chat.example");
        let (status, _, error) = scene.lab.run(&[
            "contacts",
            "add",
            "--config",
            "edge.toml",
            "anne@contoso.example",
            &friend,
        ]);
        assert_eq!(status, 0, "{error}");
        // SIGKILL.
        drop(daemon);
        shown.push(tls);
        let opened = Contacts::open(&state).unwrap();
        assert_eq!(opened.set_aside, None);
        let history = opened.contacts.certificates().history(FABRIKAM);
        assert_eq!(history.seen().len(), shown.len());
        let last = &history.seen()[0].shown.issuer_name;
        assert_eq!(
            *last,
            format!("CN={}", ["One", "Two", "Three", "Four"][authority])
        );
    }
}

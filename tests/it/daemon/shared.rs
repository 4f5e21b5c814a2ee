//! Two local domains that write to one domain of a partner over one stream (XEP-0220 §2.6), on real sockets, over
//! TLS: the partner is another edge, or a script.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;

use serde_json::Value;

use super::process::Daemon;
use super::proxy::Proxy;
use super::sites::{Gateway, OURS, Site, Stage, THEIRS, runtime, sockets};
use crate::federation::diary::Diary;
use crate::federation::partner::serve;
use crate::federation::wire::Tls;
use crate::pki::{Authority, Leaf};

/// Terms under which each pair is proven by dialback alone, so that nobody has acknowledgements.
const DIALBACK: &str = "sasl = \"not-supported\"\ndialback = true";
/// Terms under which the first pair is proven by its certificate, and has acknowledgements.
const EITHER: &str = "sasl = \"optional\"\ndialback = true";
const SHARES: &str = "share-streams = true";
/// Messages a second of each domain.
const RATE: usize = 250;

/// The lines of an event that are about their domain and one of ours, so many.
fn lines(daemon: &Daemon, event: &str, count: usize) -> Vec<Value> {
    let event = format!("\"event\":\"{event}\"");
    let lines = daemon.log_lines(count, |line| line.contains(&event) && line.contains(THEIRS));
    let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// The end of a stream of ours.
fn closed(daemon: &Daemon) -> Value {
    let parts = ["\"stream-closed\"", "\"outbound\"", THEIRS];
    let is_wanted = |line: &str| parts.iter().all(|part| line.contains(part));
    let line = daemon.log_lines(1, is_wanted).remove(0);
    serde_json::from_str(&line).unwrap()
}

fn texts(lines: &[Value], field: &str) -> Vec<String> {
    let text = |line: &Value| line[field].to_string().trim_matches('"').to_owned();
    lines.iter().map(text).collect()
}

/// The gateways of our domains; the second begins when the stream of the first is open.
fn both(ours: &Site, is_open: impl FnOnce()) -> [Gateway; 2] {
    let gateways = OURS.map(|domain| ours.gateway(domain, THEIRS));
    let [first, second] = &gateways;
    first.writes(RATE);
    is_open();
    second.writes(RATE);
    gateways
}

/// Both have said all that they say, and the edge has taken it on: how much that is.
fn end(gateways: &[Gateway; 2]) -> [usize; 2] {
    let said = [0, 1].map(|at: usize| gateways[at].stops());
    for (gateway, said) in gateways.iter().zip(said) {
        gateway.until("acknowledged", |state| state.acknowledged >= said);
        gateway.with(|state| assert_eq!(state.bounced, [""; 0]));
    }
    said
}

#[test]
fn two_domains_share_one_connection_by_two_keys_until_a_reload_parts_them() {
    let stage = Stage::new(&format!("{DIALBACK}\n{SHARES}"), DIALBACK);
    let theirs = stage.theirs.gateway(THEIRS, OURS[0]);
    let gateways = both(&stage.ours, || theirs.hears_more(1, &OURS[..1]));
    theirs.hears_more(100, &OURS);
    assert_eq!(stage.way.count(), 1);
    // On their one stream each pair has proven itself.
    let proven = lines(stage.theirs.daemon(), "stream-authenticated", 2);
    assert_eq!(texts(&proven, "remote"), OURS);
    assert_eq!(texts(&proven, "method"), ["tls-dialback"; 2]);
    assert_eq!(texts(&proven, "direction"), ["inbound"; 2]);
    assert_eq!(proven[0]["stream"], proven[1]["stream"]);
    // For each we were asked about a key of its own.
    let asked = lines(stage.ours.daemon(), "dialback-answered", 2);
    assert_eq!(texts(&asked, "local"), OURS);

    stage.ours.rereads(DIALBACK);
    let closed = closed(stage.ours.daemon());
    assert_eq!(closed["reason"], "sharing-off", "{closed}");
    theirs.hears_more(100, &OURS);
    assert_eq!(stage.way.count(), 3);
    let proven = lines(stage.theirs.daemon(), "stream-authenticated", 2);
    let parted: BTreeSet<_> = texts(&proven, "remote").into_iter().collect();
    assert_eq!(parted, OURS.map(str::to_owned).into());
    assert_ne!(proven[0]["stream"], proven[1]["stream"]);

    let said = end(&gateways);
    for (domain, said) in OURS.iter().zip(said) {
        assert_eq!(theirs.has_all(domain, said), [0; 0], "{domain}: came twice");
    }
}

#[test]
fn a_shared_connection_that_is_cut_loses_nothing() {
    let stage = Stage::new(&format!("{EITHER}\n{SHARES}"), EITHER);
    let theirs = stage.theirs.gateway(THEIRS, OURS[0]);
    let gateways = both(&stage.ours, || theirs.hears_more(1, &OURS[..1]));
    for gateway in &gateways {
        gateway.until("acknowledgements", |state| state.acknowledged >= 50);
    }
    assert_eq!(stage.way.count(), 1);
    let proven = lines(stage.theirs.daemon(), "stream-authenticated", 2);
    assert_eq!(texts(&proven, "remote"), OURS);
    assert_eq!(texts(&proven, "method"), ["sasl-external", "tls-dialback"]);
    assert_eq!(proven[0]["stream"], proven[1]["stream"]);

    // So much has come that nobody has acknowledged, and more is on its way.
    theirs.acknowledges(false);
    theirs.hears_more(50, &OURS);
    let acknowledged = gateways
        .each_ref()
        .map(|it| it.with(|state| state.acknowledged));
    // More is written, and does not get through.
    stage.way.hole();
    let by_then = gateways.each_ref().map(|it| it.with(|state| state.said));
    for (gateway, by_then) in gateways.iter().zip(by_then) {
        gateway.until("more", |state| state.said >= by_then + 50);
    }
    stage.way.cut();
    let closed = closed(stage.ours.daemon());
    let by_then = gateways.each_ref().map(|it| it.with(|state| state.said));
    // Both are proven again; meanwhile nobody acknowledges what came before.
    lines(stage.theirs.daemon(), "stream-authenticated", 2);
    theirs.hears_more(100, &OURS);
    theirs.acknowledges(true);

    let said = end(&gateways);
    for (at, domain) in OURS.iter().enumerate() {
        let twice = theirs.has_all(domain, said[at]);
        println!(
            "{domain}: {} of {} came twice; {} connections; {}",
            twice.len(),
            said[at],
            stage.way.count(),
            closed["reason"]
        );
        // What was acknowledged before is not sent again, nor what was written after.
        let open = acknowledged[at]..by_then[at];
        assert!(open.len() >= 50, "{domain}: {open:?}");
        assert!(
            twice.iter().all(|it| open.contains(it)),
            "{domain}: {twice:?}, {open:?}"
        );
    }
}

#[test]
fn where_the_partner_does_not_offer_errors_each_pair_has_its_own_connection() {
    let runtime = runtime();
    let authority = Authority::root("Of both");
    let identity = authority.issue(Leaf::new(&[THEIRS]));
    let mut anchors = rustls::RootCertStore::empty();
    anchors.add(authority.certificate.clone()).unwrap();
    let tls = Tls::new(&identity, anchors);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let diary = Arc::<Diary>::default();
    let way = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(serve(listener, tls, Arc::clone(&diary)));
        Proxy::start(address).await
    });
    let terms = format!("{DIALBACK}\n{SHARES}");
    let partner = (&[THEIRS][..], way.address);
    let ours = Site::start(sockets(), &OURS, partner, (&authority, &terms));
    let find = |id: &str, from: &str| {
        let parts = [format!("id='{id}'"), format!("@{from}'")];
        runtime.block_on(diary.find(&[&parts[0], &parts[1]]))
    };
    let gateways = both(&ours, || drop(find("n0", OURS[0])));
    for domain in OURS {
        let line = find("n99", domain);
        assert!(line.contains("tls-dialback"), "{line}");
    }
    assert_eq!(way.count(), 2);
    let said = end(&gateways);
    for (domain, said) in OURS.iter().zip(said) {
        find(&format!("n{}", said - 1), domain);
        let of_domain = format!("@{domain}'");
        let lines = diary.lines();
        let lines = lines.iter().filter(|line| line.contains(&of_domain));
        let ids = lines.map(|line| {
            let (_, id) = line.split_once("id='n").unwrap();
            id.split('\'').next().unwrap().parse::<usize>().unwrap()
        });
        assert!(ids.eq(0..said), "{domain}");
    }
}

//! Where nothing is wrong.

use super::peer::{DIALBACK, Peer};
use super::{explain, lab, route};
use crate::daemon::process::Daemon;
use crate::lab::{FREE_PORTS, Lab};
use crate::pki::{self, Authority, Leaf};

/// The files of an edge, whose domain has this first label.
fn edge(label: &str, partners: &str, authority: &Authority) -> Lab {
    let lab = Lab::with(&FREE_PORTS.replace("contoso", label), partners);
    let name = format!("{label}.example");
    let identity = authority.issue(Leaf::new(&[&name]).server_only());
    lab.write("ca.pem", &pki::pem(&authority.certificate), 0o600);
    lab.write("edge.pem", &identity.chain_pem(), 0o600);
    lab.write("edge.key", identity.key_pem(), 0o600);
    lab
}

#[test]
fn a_way_that_the_running_daemon_does_not_know_of_is_not_called_good() {
    let authority = Authority::root("Test Authority");
    let entry = |name: &str| {
        format!("[[partner]]\nprimary-domain = \"{name}.example\"\ntype = \"federated\"\n")
    };
    let theirs = edge("fabrikam", &entry("contoso"), &authority);
    let partner = Daemon::start(&theirs);
    let lab = edge("contoso", &entry("adatum"), &authority);
    let daemon = Daemon::start(&lab);
    route(&lab, partner.s2s, "");
    let (text, json) = explain(&lab, "fabrikam.example", 78);
    assert_eq!(json["works"], true, "{json:#}");
    let works = text.find("\nIt works: ").unwrap();
    let but = text.find("\nBut the running daemon decides by ").unwrap();
    assert!(works < but && text.contains("no such entry"), "{text}");

    daemon.signal("HUP");
    daemon.log_line("reload-done");
    let (text, _) = explain(&lab, "fabrikam.example", 0);
    assert!(!text.contains("But the running daemon"), "{text}");

    let (dialback, rate) = (
        "sasl = \"optional\"\ndialback = true\n",
        "stanza-rate = 7\n",
    );
    for (lines, exit, what) in [(dialback, 78, "another form of"), (rate, 0, "may do")] {
        route(&lab, partner.s2s, lines);
        let (text, _) = explain(&lab, "fabrikam.example", exit);
        assert!(text.contains(what), "{text}");
    }
}

#[test]
fn two_edges_that_know_each_other() {
    let (lab, authority) = lab();
    let partners = "[[partner]]\nprimary-domain = \"eu.contoso.example\"\ntype = \"federated\"\n\
                    [[partner]]\nprimary-domain = \"contoso.example\"\ntype = \"federated\"\n";
    let theirs = edge("fabrikam", partners, &authority);
    let partner = Daemon::start(&theirs);
    route(&lab, partner.s2s, "");
    let (text, json) = explain(&lab, "fabrikam.example", 0);
    assert_eq!(json["works"], true, "{json:#}");
    assert_eq!(json["method"], "sasl-external", "{json:#}");
    assert!(json["verdict"].is_null(), "{json:#}");
    for part in [
        "The way from contoso.example to fabrikam.example",
        "partners.toml:1: the entry of fabrikam.example (federated),",
        "TLS          1.3, TLS_AES_256_GCM_SHA384",
        "Certificate  0: CN=leaf; names fabrikam.example; issued by CN=Test Authority;",
        "Judged       good: ",
        "Proof        SASL EXTERNAL is tried",
        "Open         proven by SASL EXTERNAL",
        "Ping         sent; the answer comes on the partner's own stream",
        "\nIt works: contoso.example reaches fabrikam.example at ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // What the partner saw.
    let line = partner.log_line("stream-authenticated");
    assert!(line.contains("\"contoso.example\""), "{line}");
    let line = partner.log_line("stream-closed");
    assert!(line.contains("peer-closed"), "{line}");

    let command = ["explain", "fabrikam.example", "--config", "edge.toml"];
    let from = [&command[..], &["--from", "eu.contoso.example"]].concat();
    let (status, text, _) = lab.run(&from);
    assert_eq!(status, 0, "{text}");
    let works = "It works: eu.contoso.example reaches fabrikam.example";
    assert!(text.contains(works), "{text}");
    // Nothing was kept.
    assert!(!lab.path("state").exists());
}

#[test]
fn a_partner_that_is_proven_by_dialback_in_spite_of_its_certificate() {
    let (lab, authority) = lab();
    let expired = Leaf::new(&["fabrikam.example"]).valid((2020, 1, 1), (2021, 1, 1));
    let peer = Peer::with(&authority.issue(expired)).offers(DIALBACK);
    route(&lab, peer.start(), "sasl = \"optional\"\ndialback = true\n");
    let (text, json) = explain(&lab, "fabrikam.example", 0);
    assert_eq!(json["method"], "tls-dialback", "{json:#}");
    for part in [
        "Judged       expired: ",
        "Proof        dialback over TLS is tried, since",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

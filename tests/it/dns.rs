//! `xmpp-edge dns`: what it prints can be pasted, and served by a real name server it is found to be
//! right; whatever else is published is named.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};

use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::proto::serialize::txt::Parser;
use hickory_server::Server;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use serde_json::{Value, json};

use crate::lab::{EDGE, Lab, PARTNERS};
use crate::schemas;

/// Serves a piece of a zone file, for `example.`, as long as the tests run.
pub(crate) fn serve(text: &str) -> SocketAddr {
    let (_, sets) = Parser::new(text.to_owned(), None, Some(Name::root()))
        .parse()
        .unwrap();
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
        name("example."),
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let soa = SOA::new(name("ns."), name("root."), 1, 60, 60, 60, 60);
    let soa = Record::from_rdata(name("example."), 60, RData::SOA(soa));
    assert!(zone.upsert_mut(soa, 1));
    for set in sets.values() {
        for record in set.records_without_rrsigs() {
            assert!(zone.upsert_mut(record.clone(), 1), "{record}");
        }
    }
    let mut catalog = Catalog::new();
    catalog.upsert((&name("example.")).into(), vec![Arc::new(zone)]);
    let (ready, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            ready.send(socket.local_addr().unwrap()).unwrap();
            let mut server = Server::new(catalog);
            server.register_socket(socket);
            std::future::pending::<()>().await;
        });
    });
    address.recv().unwrap()
}

/// An edge for these domains that asks this name server.
fn lab(domains: &str, listen: &str, nameserver: SocketAddr) -> Lab {
    let edge = EDGE.replace("[\"contoso.example\"]", domains);
    let more = format!("[s2s]\nlisten = [\"{listen}\"]\n[dns]\nnameservers = [\"{nameserver}\"]\n");
    Lab::with(&format!("{edge}\n{more}"), PARTNERS)
}

/// Nobody answers there.
fn nobody() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn sole(listen: &str, nameserver: SocketAddr) -> Lab {
    lab("[\"contoso.example\"]", listen, nameserver)
}

fn run(lab: &Lab, arguments: &[&str]) -> (i32, String) {
    let arguments = [&["dns", "--config", "edge.toml"], arguments].concat();
    let (status, output, errors) = lab.run(&arguments);
    assert_eq!(errors, "", "{arguments:?}");
    (status, output)
}

fn report(lab: &Lab, arguments: &[&str]) -> (i32, Value) {
    let arguments = [arguments, &["--format", "json"]].concat();
    let (status, output) = run(lab, &arguments);
    let report = serde_json::from_str(&output).unwrap();
    schemas::holds("dns", &report);
    (status, report)
}

const TWO_SITES: [&str; 6] = [
    "--host",
    "10:edge1.contoso.example=93.184.215.14,2606:2800::14",
    "--host",
    "10:edge2.contoso.example=93.184.215.15",
    "--host",
    "20:edge.eu.contoso.example=93.184.216.1",
];

#[test]
fn what_is_printed_is_a_zone_and_is_right_once_it_is_served() {
    // The certificate of the lab is for the first domain alone; the other one has its own.
    let edge = EDGE.replace(
        "[\"contoso.example\"]",
        "[\"contoso.example\", \"eu.contoso.example\"]",
    );
    let identity = "[[identity]]\ndomains = [\"eu.contoso.example\"]\n\
                    certificate-chain = \"eu.pem\"\nprivate-key = \"eu.key\"\n";
    let lab = Lab::with(&format!("{edge}\n{identity}"), PARTNERS);
    let (status, zone) = run(&lab, &TWO_SITES);
    assert_eq!(status, 0);
    let want = "\
; In the zone of contoso.example:
_xmpp-server._tcp.contoso.example. 3600 IN SRV 10 10 5269 edge1.contoso.example.
_xmpp-server._tcp.contoso.example. 3600 IN SRV 10 10 5269 edge2.contoso.example.
_xmpp-server._tcp.contoso.example. 3600 IN SRV 20 0 5269 edge.eu.contoso.example.

; In the zone of eu.contoso.example:
_xmpp-server._tcp.eu.contoso.example. 3600 IN SRV 10 10 5269 edge1.contoso.example.
_xmpp-server._tcp.eu.contoso.example. 3600 IN SRV 10 10 5269 edge2.contoso.example.
_xmpp-server._tcp.eu.contoso.example. 3600 IN SRV 20 0 5269 edge.eu.contoso.example.

; The hosts, each in its own zone; none may be an alias (CNAME):
edge1.contoso.example. 3600 IN A 93.184.215.14
edge1.contoso.example. 3600 IN AAAA 2606:2800::14
edge2.contoso.example. 3600 IN A 93.184.215.15
edge.eu.contoso.example. 3600 IN A 93.184.216.1
";
    assert_eq!(zone, want);
    let server = serve(&zone);
    let dns = format!("[dns]\nnameservers = [\"{server}\"]\n");
    lab.write("edge.toml", &format!("{edge}\n{identity}\n{dns}"), 0o644);
    let verify = [&["--verify"][..], &TWO_SITES].concat();
    let (status, text) = run(&lab, &verify);
    assert_eq!(status, 0, "{text}");
    assert!(text.ends_with("\nWhat is published is right.\n"), "{text}");
    assert!(text.contains(&format!("Asked: {server} (from")), "{text}");
    let (status, report) = report(&lab, &verify);
    assert_eq!((status, &report["verified"]["equal"]), (0, &json!(true)));
    assert_eq!(report["records"][0]["target"], "edge1.contoso.example");
    // Of what is not said nothing is compared.
    assert_eq!(run(&lab, &["--verify"]).0, 0);
}

#[test]
fn what_the_edge_does_not_know_is_left_to_be_filled_in() {
    let (_, zone) = run(&sole("[::]:5269", nobody()), &[]);
    let srv = "_xmpp-server._tcp.contoso.example. 3600 IN SRV 10 0 5269 xmpp.contoso.example.\n";
    assert!(zone.contains(srv), "{zone}");
    assert!(
        zone.contains("\n; xmpp.contoso.example. 3600 IN A <its address>\n"),
        "{zone}"
    );
    // Where it listens on public addresses, these are known; the port always is.
    let lab = sole("93.184.215.14:5270", nobody());
    let (_, zone) = run(&lab, &["--ttl", "60"]);
    assert!(
        zone.contains(" 60 IN SRV 10 0 5270 xmpp.contoso.example.\n"),
        "{zone}"
    );
    assert!(
        zone.ends_with("\nxmpp.contoso.example. 60 IN A 93.184.215.14\n"),
        "{zone}"
    );
    let (status, report) = report(&lab, &["--port", "5269"]);
    assert_eq!((status, &report["records"][0]["port"]), (0, &json!(5269)));
    assert_eq!(report["verified"], Value::Null);
}

const SRV: &str = "_xmpp-server._tcp.contoso.example. 60 IN SRV";
const HOST: &str = "edge1.contoso.example. 60 IN A 93.184.215.14\n";

/// What is published, what is said, and what is found: code and name.
#[test]
fn every_difference_is_named() {
    let good = format!("{SRV} 10 0 5269 edge1.contoso.example.\n{HOST}");
    let service = "_xmpp-server._tcp.contoso.example";
    let edge1 = "edge1.contoso.example";
    let host = |text| vec!["--host", text];
    for (zone, arguments, want) in [
        (good.clone(), vec![], vec![]),
        (
            good.clone(),
            host("10/0:edge1.contoso.example=93.184.215.14"),
            vec![],
        ),
        (
            good.replace("5269 edge1", "5269 EDGE1"),
            host("Edge1.contoso.example=93.184.215.14"),
            vec![],
        ),
        (HOST.to_owned(), vec![], vec![("missing-record", service)]),
        (
            HOST.to_owned(),
            host(edge1),
            vec![("missing-record", service)],
        ),
        (
            good.clone(),
            vec![
                "--host",
                edge1,
                "--host",
                "edge2.contoso.example=93.184.215.15",
            ],
            vec![
                ("missing-record", service),
                ("missing-record", "edge2.contoso.example"),
            ],
        ),
        (
            good.clone()
                + &format!(
                    "{SRV} 10 0 5269 edge2.contoso.example.\nedge2.contoso.example. 60 IN A 93.184.215.15\n"
                ),
            host(edge1),
            vec![("extra-record", service)],
        ),
        (
            good.clone(),
            host("20:edge1.contoso.example"),
            vec![("different-record", service)],
        ),
        (
            good.clone(),
            host("10/5:edge1.contoso.example"),
            vec![("different-record", service)],
        ),
        (
            good.clone(),
            vec!["--port", "443"],
            vec![("port-not-listened", service)],
        ),
        (
            good.replace("5269", "5222"),
            vec![],
            vec![("port-not-listened", service)],
        ),
        (
            good.clone(),
            host("edge1.contoso.example=93.184.215.15"),
            vec![("missing-record", edge1), ("extra-record", edge1)],
        ),
        (
            good.replace("93.184.215.14", "10.0.0.5"),
            vec![],
            vec![("address-not-public", edge1)],
        ),
        (
            good.replace("93.184.215.14", "10.0.0.5"),
            host("edge1.contoso.example=10.0.0.5"),
            vec![],
        ),
        (
            format!("{SRV} 10 0 5269 edge1.contoso.example.\n"),
            vec![],
            vec![("target-without-address", edge1)],
        ),
        (
            format!(
                "{SRV} 10 0 5269 alias.contoso.example.\n{HOST}\
                     alias.contoso.example. 60 IN CNAME edge1.contoso.example.\n"
            ),
            vec![],
            vec![("target-is-alias", "alias.contoso.example")],
        ),
        (
            format!("{SRV} 0 0 0 .\n"),
            vec![],
            vec![("service-denied", service), ("missing-record", service)],
        ),
        (
            good.clone()
                + "_xmpps-server._tcp.contoso.example. 60 IN SRV 1 0 5270 edge1.contoso.example.\n",
            vec![],
            vec![(
                "direct-tls-not-served",
                "_xmpps-server._tcp.contoso.example",
            )],
        ),
    ] {
        let lab = sole("[::]:5269", serve(&zone));
        let arguments = [&["--verify"], arguments.as_slice()].concat();
        let (status, report) = report(&lab, &arguments);
        let differences = report["verified"]["differences"].as_array().unwrap();
        let found: Vec<_> = differences
            .iter()
            .map(|one| (one["code"].as_str().unwrap(), one["name"].as_str().unwrap()))
            .collect();
        assert_eq!(found, want, "{arguments:?}\n{zone}{report:#}");
        assert_eq!(status, if want.is_empty() { 0 } else { 78 }, "{report:#}");
        let (_, text) = run(&lab, &arguments);
        for one in differences {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for key in ["code", "name", "message", "remedy", "wanted", "published"] {
                assert!(
                    words.contains(one[key].as_str().unwrap_or_default()),
                    "{key}: {text}"
                );
            }
        }
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

/// RFC 2308 §2: that nobody answers is not that there is nothing.
#[test]
fn name_servers_that_do_not_answer_are_no_difference() {
    let lab = sole("[::]:5269", nobody());
    let (status, report) = report(&lab, &["--verify"]);
    assert_eq!(status, 69, "{report:#}");
    let differences = &report["verified"]["differences"];
    assert_eq!(differences.as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(differences[0]["code"], "no-answer");
}

#[test]
fn a_host_that_is_none_is_wrong_usage() {
    let lab = sole("[::]:5269", nobody());
    for (host, says) in [
        ("192.0.2.1", "`192.0.2.1` is no host name"),
        ("edge1.contoso.example=there", "`there` is no IP address"),
    ] {
        let (status, output, errors) = lab.run(&["dns", "--host", host]);
        assert_eq!((status, output.as_str()), (64, ""));
        // It is broken where the screen ends.
        let words: Vec<_> = errors.split_whitespace().collect();
        assert!(words.join(" ").contains(says), "{errors}");
    }
}

use super::fake::{Answer, NameServer, Zone};
use super::*;
use crate::proto::discover::Via;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SOA, SRV};
use hickory_server::Server;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use std::sync::Arc;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

async fn ask(zone: Zone) -> (DnsResolver, NameServer) {
    let server = zone.serve().await;
    (DnsResolver::new(&[server.address]).unwrap(), server)
}

/// A question without its random spelling.
fn spelt((name, kind): &(String, RecordType)) -> (String, RecordType) {
    (name.to_lowercase(), *kind)
}

fn shown(targets: &[Target]) -> Vec<String> {
    targets.iter().map(Target::to_string).collect()
}

#[tokio::test]
async fn a_real_name_server_is_understood() {
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
        name("partner.example."),
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let soa = SOA::new(name("ns."), name("root."), 1, 60, 60, 60, 60);
    let targets = ["b.partner.example.", "a.partner.example."].map(name);
    let [second, first] = targets.map(|target| {
        let priority = if target == name("a.partner.example.") {
            1
        } else {
            2
        };
        RData::SRV(SRV::new(priority, 0, 5270, target))
    });
    for (owner, data) in [
        ("partner.example.", RData::SOA(soa)),
        ("_xmpp-server._tcp.partner.example.", second),
        ("_xmpp-server._tcp.partner.example.", first),
        ("a.partner.example.", RData::A(A::new(192, 0, 2, 1))),
        (
            "a.partner.example.",
            RData::AAAA(AAAA("2001:db8::1".parse().unwrap())),
        ),
    ] {
        assert!(zone.upsert_mut(Record::from_rdata(name(owner), 60, data), 1));
    }
    let mut catalog = Catalog::new();
    catalog.upsert((&name("partner.example.")).into(), vec![Arc::new(zone)]);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = Server::new(catalog);
    server.register_socket(socket);

    let resolver = DnsResolver::new(&[address]).unwrap();
    let targets = resolver
        .targets(&domain("partner.example"), 20)
        .await
        .map(|found| found.targets)
        .unwrap();
    assert_eq!(
        shown(&targets),
        ["a.partner.example:5270", "b.partner.example:5270"]
    );
    let host = "a.partner.example";
    assert_eq!(
        resolver.ipv4(host).await.unwrap(),
        ["192.0.2.1".parse::<IpAddr>().unwrap()]
    );
    assert_eq!(
        resolver.ipv6(host).await.unwrap(),
        ["2001:db8::1".parse::<IpAddr>().unwrap()]
    );
    assert_eq!(
        resolver.ipv4("c.partner.example").await,
        Err(LookupFault::NoSuchName)
    );
    assert_eq!(
        resolver.ipv4("partner.example").await,
        Err(LookupFault::NoRecords)
    );
    server.shutdown_gracefully().await.unwrap();
}

#[tokio::test]
async fn each_answer_has_its_consequence() {
    let zone = Zone::default()
        .srv("good.example", 1, 5270, "xmpp.good.example")
        .srv("closed.example", 0, 0, ".")
        .answer(
            "_xmpp-server._tcp.empty.example",
            RecordType::SRV,
            Answer::Records(Vec::new()),
        )
        .answer(
            "_xmpp-server._tcp.broken.example",
            RecordType::SRV,
            Answer::Error(ResponseCode::ServFail),
        )
        .answer(
            "_xmpp-server._tcp.closed2.example",
            RecordType::SRV,
            Answer::Error(ResponseCode::Refused),
        );
    let (resolver, _server) = ask(zone).await;
    // Domain; targets, or the code of the failure and whether there is no such service.
    for (text, want) in [
        ("good.example", Ok("xmpp.good.example:5270")),
        ("empty.example", Ok("empty.example:5269")),
        ("nowhere.example", Ok("nowhere.example:5269")),
        ("192.0.2.7", Ok("192.0.2.7:5269")),
        ("[2001:db8::7]", Ok("[2001:db8::7]:5269")),
        ("closed.example", Err(("service-not-offered", true))),
        ("broken.example", Err(("dns-server-failure", false))),
        ("closed2.example", Err(("dns-server-failure", false))),
    ] {
        let got = resolver
            .targets(&domain(text), 20)
            .await
            .map(|found| found.targets);
        let got = got
            .map(|targets| shown(&targets).join(" "))
            .map_err(|failure| (failure.code().as_str(), failure.is_no_such_service()));
        assert_eq!(got, want.map(str::to_owned), "{text}");
    }
}

#[tokio::test]
async fn each_family_stands_on_its_own() {
    // Some name servers answer that the whole name does not exist when one family is missing.
    let (resolver, server) = ask(Zone::default().host("a.example", &["192.0.2.1"])).await;
    assert_eq!(
        resolver.ipv6("a.example").await,
        Err(LookupFault::NoSuchName)
    );
    assert_eq!(resolver.ipv4("a.example").await.unwrap().len(), 1);
    assert_eq!(resolver.ipv4("a.example").await.unwrap().len(), 1);
    let a = ("a.example.".to_owned(), RecordType::A);
    let asked = server.asked().iter().filter(|one| spelt(one) == a).count();
    assert_eq!(asked, 1, "the second answer is remembered");
}

#[tokio::test]
async fn names_are_never_completed_from_a_search_list() {
    let server = Zone::default().serve().await;
    let mut config = ResolverConfig::from_name_servers(vec![nameserver(&server.address)]);
    config.add_search(Name::from_ascii("corp.example.").unwrap());
    let resolver = DnsResolver::with(
        config,
        ResolverOpts::default(),
        Servers::configured(&[server.address]),
    )
    .unwrap();
    assert!(resolver.ipv4("single").await.unwrap_err().is_absent());
    let asked: Vec<_> = server.asked().iter().map(spelt).collect();
    assert_eq!(asked, [("single.".to_owned(), RecordType::A)]);
}

#[tokio::test]
async fn questions_are_spelt_at_random_against_forgery() {
    let host = "a-name-with-many-letters-in-it.example";
    let (resolver, server) = ask(Zone::default().host(host, &["192.0.2.1"])).await;
    assert_eq!(resolver.ipv4(host).await.unwrap().len(), 1);
    let (name, _) = server.asked().remove(0);
    assert!(
        name.contains(char::is_uppercase) && name.contains(char::is_lowercase),
        "{name}"
    );
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_time_and_leaves_the_domain_itself_to_try() {
    let srv = "_xmpp-server._tcp.silent.example";
    let zone = Zone::default()
        .answer(srv, RecordType::SRV, Answer::Silence)
        .answer("silent.example", RecordType::A, Answer::Silence);
    let (resolver, _server) = ask(zone).await;
    let began = tokio::time::Instant::now();
    assert!(matches!(
        resolver.ipv4("silent.example").await,
        Err(LookupFault::TimedOut(_))
    ));
    let targets = resolver
        .targets(&domain("silent.example"), 20)
        .await
        .map(|found| found.targets)
        .unwrap();
    assert!(
        matches!(targets[0].via, Via::Fallback(Fallback::NoAnswer(_))),
        "{targets:?}"
    );
    assert!(began.elapsed() <= 2 * WHOLE_LOOKUP);
}

#[tokio::test]
async fn an_answer_of_any_size_is_cut() {
    let addresses: Vec<_> = (0..70).map(|n| format!("192.0.2.{n}")).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let (resolver, _server) = ask(Zone::default().host("many.example", &addresses)).await;
    let got = resolver.ipv4("many.example").await.unwrap();
    assert_eq!(got.len(), MAX_RECORDS);
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

#[tokio::test]
async fn aliases_lead_to_the_records_of_another_name() {
    let hosted = "_xmpp-server._tcp.host.example";
    let in_one = "_xmpp-server._tcp.one.example";
    let both = Answer::Chain(vec![
        (in_one, RData::CNAME(CNAME(name(hosted)))),
        (
            hosted,
            RData::SRV(SRV::new(0, 10, 5270, name("xmpp.host.example"))),
        ),
    ]);
    let mut zone = Zone::default()
        .srv("host.example", 0, 5270, "xmpp.host.example")
        // In one answer, as most servers give it.
        .answer(in_one, RecordType::SRV, both.clone())
        .answer(in_one, RecordType::CNAME, both)
        // In two.
        .alias("_xmpp-server._tcp.two.example", hosted)
        // In a chain, which leads to nothing in the end.
        .alias("_xmpp-server._tcp.a.example", "b.example")
        .alias("b.example", "c.example")
        .alias("c.example", hosted)
        .alias("_xmpp-server._tcp.lost.example", "nothing.example")
        .alias("_xmpp-server._tcp.circle.example", "d.example")
        .alias("d.example", "_xmpp-server._tcp.circle.example")
        .alias(
            "_xmpp-server._tcp.self.example",
            "_xmpp-server._tcp.self.example",
        )
        .alias("_xmpp-server._tcp.long.example", "l0.example");
    for step in 0..12 {
        let (here, there) = (format!("l{step}.example"), format!("l{}.example", step + 1));
        zone = zone.alias(&here, &there);
    }
    let (resolver, _server) = ask(zone).await;
    for (text, want) in [
        ("host.example", Ok("xmpp.host.example:5270")),
        ("one.example", Ok("xmpp.host.example:5270")),
        ("two.example", Ok("xmpp.host.example:5270")),
        ("a.example", Ok("xmpp.host.example:5270")),
        ("lost.example", Ok("lost.example:5269")),
        (
            "circle.example",
            Err(
                "SRV query: the aliases (CNAME) of _xmpp-server._tcp.circle.example lead in a circle",
            ),
        ),
        (
            "self.example",
            Err(
                "SRV query: the aliases (CNAME) of _xmpp-server._tcp.self.example lead in a circle",
            ),
        ),
        (
            "long.example",
            Err(
                "SRV query: the aliases (CNAME) of _xmpp-server._tcp.long.example are more than 8 in a row",
            ),
        ),
    ] {
        let got = resolver
            .targets(&domain(text), 20)
            .await
            .map(|found| found.targets);
        let got = got
            .map(|targets| shown(&targets).join(" "))
            .map_err(|failure| {
                assert_eq!(
                    (failure.code().as_str(), failure.is_no_such_service()),
                    ("dns-aliases", false)
                );
                failure.to_string()
            });
        assert_eq!(
            got,
            want.map(str::to_owned).map_err(str::to_owned),
            "{text}"
        );
    }
}

/// What is said when nothing can be connected to: who did not answer, or that there is no record.
#[tokio::test(start_paused = true)]
async fn a_fault_of_dns_names_the_servers_and_the_query() {
    use crate::net::io::connect::{ConnectSettings, connect};

    let silent = "_xmpp-server._tcp.silent.example";
    let zone = Zone::default()
        .answer(silent, RecordType::SRV, Answer::Silence)
        .answer(silent, RecordType::CNAME, Answer::Silence)
        .answer("mute.example", RecordType::A, Answer::Silence)
        .answer("mute.example", RecordType::AAAA, Answer::Silence);
    let (resolver, server) = ask(zone).await;
    let servers = format!("{} (from `nameservers` under [dns])", server.address);
    for (text, code, want) in [
        // The SRV query has no answer, so that the host has no address proves nothing.
        (
            "silent.example",
            "dns-failed",
            format!(
                "DNS: SRV query of _xmpp-server._tcp.silent.example: the name servers did not \
                 answer: {servers}; the domain's own address, port 5269, was tried: the host has \
                 no address in DNS"
            ),
        ),
        (
            "nothing.example",
            "no-service",
            "DNS names no XMPP service: there is no SRV record _xmpp-server._tcp.nothing.example; \
             the domain's own address, port 5269, was tried: the host has no address in DNS"
                .to_owned(),
        ),
        (
            "mute.example",
            "dns-failed",
            format!(
                "DNS: there is no SRV record _xmpp-server._tcp.mute.example; the domain's own \
                 address, port 5269, was tried: IPv6 lookup: the name servers did not answer: \
                 {servers}, IPv4 lookup: the name servers did not answer: {servers}"
            ),
        ),
    ] {
        let targets = resolver
            .targets(&domain(text), 20)
            .await
            .map(|found| found.targets)
            .unwrap();
        let failure = connect(&resolver, &targets[0], ConnectSettings::default(), None).await;
        let reason = failure.unwrap_err().reason();
        assert_eq!((reason.code().as_str(), reason.to_string()), (code, want));
    }
}

#[tokio::test]
async fn a_name_server_that_is_not_there_is_named() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let resolver = DnsResolver::new(&[address]).unwrap();
    let failure = resolver
        .targets(&domain("a.example"), 20)
        .await
        .map(|found| found.targets);
    let text = match &failure {
        Err(failure) => failure.to_string(),
        Ok(targets) => format!("{targets:?}"),
    };
    assert!(text.contains(&address.to_string()), "{text}");
}

use super::fake::{Answer, NameServer, Zone};
use super::*;
use crate::proto::discover::Via;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, SOA, SRV};
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
    let targets = resolver.targets(&domain("partner.example")).await.unwrap();
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
        let got = resolver.targets(&domain(text)).await;
        let got = got
            .map(|targets| shown(&targets).join(" "))
            .map_err(|failure| (failure.code(), failure.is_no_such_service()));
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
    let resolver = DnsResolver::with(config, ResolverOpts::default()).unwrap();
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
    assert_eq!(
        resolver.ipv4("silent.example").await,
        Err(LookupFault::TimedOut)
    );
    let targets = resolver.targets(&domain("silent.example")).await.unwrap();
    assert_eq!(targets[0].via, Via::Fallback);
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

//! What the worst stanza costs, beside as many bytes of ordinary ones: on the way from the bytes of
//! a partner to those of the link, all of which is computed in this process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, UnixTime};
use xmpp_edge::proto::auth::chain::{Anchors, CertReport, judge};
use xmpp_edge::proto::auth::pin::Pins;
use xmpp_edge::proto::auth::{Authenticated, Pair, external};
use xmpp_edge::proto::jid::{BareJid, Domain};
use xmpp_edge::proto::policy::{Access, Partner, Rules};
use xmpp_edge::proto::stanza::{Remembered, Written, from_partner, permit};
use xmpp_edge::proto::xml::{Event, Limits, Reader, StreamKind};

use super::flood_time;
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::hostile::authority::Authority as Server;
use crate::pki::{self, Authority, Leaf};

/// The default of `max-stanza-bytes`.
const STANZA_BYTES: usize = 262_144;
/// How many times what an ordinary chain costs the worst one may cost.
const WORST_CHAIN: u32 = 15;
/// How often each chain is judged.
const RUNS: u32 = 100;
/// How many times the ordinary cost a byte of the worst stanza may take.
const WORST: f64 = 6.0;

const HEADER: &str = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
    xmlns:stream='http://etherx.jabber.org/streams' from='fabrikam.example' \
    to='contoso.example' version='1.0'>";
const ADDRESSES: &str = "from='a@fabrikam.example/desk' to='b@contoso.example'";

/// Stanzas of about the longest length that passes, each made of what costs most in one way.
fn shapes() -> Vec<(&'static str, String)> {
    let limits = Limits::authenticated(STANZA_BYTES);
    let room = STANZA_BYTES - 400;
    // As often as a stanza has room for it, and no more elements than it may have.
    let many = |part: &str| {
        let elements = part.matches("<").count() - part.matches("</").count();
        let most = (limits.elements - 8) / elements.max(1);
        part.repeat((room / part.len()).min(if elements == 0 { usize::MAX } else { most }))
    };
    let message = |content: String| format!("<message {ADDRESSES}>{content}</message>");
    let attributes = (0..limits.attributes - 2)
        .fold(String::new(), |all, number| all + &format!(" a{number}=''"));
    let prefixed = (0..30).fold(String::new(), |all, number| {
        all + &format!(" xmlns:p{number}='urn:{number}' p{number}:x='1'")
    });
    // Each declares a namespace, and so many may be in scope.
    let levels = limits.depth - 6;
    let deep = "<x xmlns='u'>".repeat(levels);
    let deep = format!("{deep}{}", "</x>".repeat(levels));
    vec![
        (
            "text",
            message(format!("<body>{}</body>", "x".repeat(room))),
        ),
        ("empty elements", message(many("<x xmlns='u'/>"))),
        ("short elements", message(many("<a/>"))),
        ("attributes", message(many(&format!("<x{attributes}/>")))),
        ("prefixes", message(many(&format!("<x{prefixed}/>")))),
        ("levels", message(many(&deep))),
        (
            "references",
            message(format!("<body>{}</body>", many("&#x1F600;"))),
        ),
        (
            "quotes",
            message(many(&format!("<x a='{}'/>", "&quot;".repeat(40)))),
        ),
        (
            "lines in attributes",
            message(many(&format!("<x a='{}'/>", "&#10;".repeat(40)))),
        ),
        (
            "sections",
            message(format!("<body>{}</body>", many("<![CDATA[a]]>b"))),
        ),
        (
            "text and elements",
            message(format!("<x xmlns='u'>{}</x>", many("a<y/>"))),
        ),
        (
            "other scripts",
            message(format!("<body>{}</body>", many("語"))),
        ),
        ("one long name", message(used(1, limits.elements - 8))),
        (
            "three long names",
            message(used(3, limits.elements / 3 - 8)),
        ),
        // More than have prefixes of their own: too long when it is written.
        ("many long names", message(used(180, 40))),
        (
            "bare quotes",
            message(many(&format!("<x a='{}'/>", "\"".repeat(200)))),
        ),
        ("addresses", many_addresses("é", room)),
        // Each becomes eighteen letters where it is mapped.
        ("addresses of ligatures", many_addresses("\u{fdfa}", room)),
        // Each becomes two.
        ("addresses in capitals", many_addresses("İ", room)),
    ]
}

/// So many namespaces with long names, each declared once and used by so many elements.
fn used(names: usize, times: usize) -> String {
    let of = |number: usize| {
        let name = format!("{number:04}").repeat(256);
        format!("<x xmlns:p='{name}'>{}</x>", "<p:a/>".repeat(times))
    };
    (0..names).map(of).collect()
}

/// Many stanzas that are little but addresses, each as long and as odd as it may be.
fn many_addresses(letter: &str, room: usize) -> String {
    let long = letter.repeat(1023 / letter.len());
    // On this side an account has the letters that one may have.
    let own = "é".repeat(511);
    let stanza = format!(
        "<message from='{long}@FABRIKAM.example/{long}' to='{own}@contoso.example/{long}'/>"
    );
    stanza.repeat(room / stanza.len())
}

fn ordinary() -> String {
    let text = "See you at ten in the small room, then? I'll bring the drafts.";
    format!(
        "<message {ADDRESSES} id='6f1b' type='chat'><body>{text}</body>\
         <active xmlns='http://jabber.org/protocol/chatstates'/>\
         <request xmlns='urn:xmpp:receipts'/></message>"
    )
}

/// The way of some stanzas through the edge, in processor time; how many bytes came out.
fn relay(bytes: &[u8], proof: &Authenticated<Pair>, rules: &Rules) -> (Duration, usize) {
    let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(STANZA_BYTES));
    reader.feed(HEADER.as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    let proven = [proof.clone()];
    let (mut out, mut most) = (0, 0);
    let begun = processor_time();
    // As they are read: 16 KiB at once.
    for part in bytes.chunks(16 << 10) {
        reader.feed(part);
        while let Some(event) = reader.next().unwrap() {
            let Event::Element(element) = event else {
                panic!("{event:?}");
            };
            let stanza = from_partner(element, &proven).unwrap();
            let stanza = match permit(stanza, Remembered::default(), rules, true) {
                Ok(stanza) => stanza,
                Err(refused) => *refused.answer.unwrap(),
            };
            let written = stanza.write(StreamKind::Component);
            most = most.max(written.bytes().len());
            out += written.bytes().len();
        }
    }
    assert!(most <= Written::most(STANZA_BYTES) + 1024, "{most} bytes");
    (processor_time() - begun, out)
}

/// What this thread has computed so far: the time of other programs does not count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split_whitespace().next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

#[test]
fn no_stanza_costs_many_times_what_ordinary_ones_of_its_length_cost() {
    let [local, remote] =
        ["contoso.example", "fabrikam.example"].map(|it| Domain::parse(it).unwrap());
    let listed = BareJid::parse("ceo@contoso.example").unwrap();
    let rules = Rules::new(vec![local.clone()], vec![Partner::new(remote.clone())])
        .unwrap()
        .with_access(Access::new(true, [listed]));
    let report = CertReport {
        domain: remote.clone(),
        verdict: Ok(()),
        until: u64::MAX,
        certificate: None,
        shown: None,
        unpinned: None,
    };
    let proof = external::prove(Pair { local, remote }, &report).unwrap();
    let cost = |bytes: &[u8]| {
        let runs = (0..7).map(|_| relay(bytes, &proof, &rules));
        let (time, out) = runs.min().unwrap();
        assert!(out > 0);
        time.as_secs_f64() / bytes.len() as f64
    };
    let ordinary = cost(
        ordinary()
            .repeat(STANZA_BYTES / ordinary().len())
            .as_bytes(),
    );
    let mut worst = 0.0_f64;
    for (name, stanza) in shapes() {
        assert!(stanza.len() <= STANZA_BYTES, "{name}: {}", stanza.len());
        let ratio = cost(stanza.as_bytes()) / ordinary;
        println!(
            "{name}: {} bytes, {ratio:.2} times the ordinary cost of a byte",
            stanza.len()
        );
        worst = worst.max(ratio);
    }
    assert!(worst <= WORST, "{worst}");
}

/// Chains that cost most to judge, each with the authority that is trusted.
fn chains() -> Vec<(&'static str, Authority, Vec<CertificateDer<'static>>)> {
    let leaf = || Leaf::new(&["fabrikam.example"]);
    let mesh = |layers: usize, width: usize| {
        let mut chain = Authority::root("layer 0").issue(leaf()).chain;
        for layer in 0..layers {
            let above = Authority::root(&format!("layer {}", layer + 1));
            for _ in 0..width {
                chain.push(above.intermediate(&format!("layer {layer}")).certificate);
            }
        }
        (Authority::root(&format!("layer {layers}")), chain)
    };
    let long = |key: fn() -> KeyPair| {
        let root = Authority::root_with_key("root", key());
        let middle = |name| move |above: &Authority| above.intermediate_with_key(name, key());
        let mut lowest = middle("a")(&root);
        for name in ["b", "c", "d"] {
            lowest = middle(name)(&lowest);
        }
        let chain = lowest.issue(leaf()).chain;
        (root, chain)
    };
    let root = Authority::root("root");
    let names: Vec<_> = (0..1400)
        .map(|number| format!("name-{number}.example"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let many_names = root.issue(Leaf::new(&names)).chain;
    let p384 = || KeyPair::generate_for(&pki::PKCS_ECDSA_P384_SHA384).unwrap();
    let p521 = || KeyPair::generate_for(&pki::PKCS_ECDSA_P521_SHA512).unwrap();
    let rsa = || KeyPair::generate_rsa_for(&pki::PKCS_RSA_SHA256, pki::RsaKeySize::_4096).unwrap();
    let named = |name, (root, chain)| (name, root, chain);
    vec![
        named("a mesh of 85", mesh(7, 12)),
        named("a mesh of 8", mesh(2, 4)),
        named("five authorities with RSA 4096", long(rsa)),
        named("five authorities with P-384", long(p384)),
        named("five authorities with P-521", long(p521)),
        ("1400 names", root, many_names),
    ]
}

#[test]
fn no_chain_costs_many_times_what_an_ordinary_one_costs() {
    let domain = Domain::parse("fabrikam.example").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(pki::NOW));
    let cost = |root: &Authority, chain: &[CertificateDer<'_>]| {
        let (anchors, _) = Anchors::from_der([root.certificate.clone()]);
        let report = || judge(chain, &domain, &anchors, &Pins::default(), now);
        let is_good = report().verdict.is_ok();
        // The system counts in ticks of milliseconds: only many runs together tell.
        let begun = processor_time();
        for _ in 0..RUNS {
            report();
        }
        ((processor_time() - begun) / RUNS, is_good)
    };
    let root = Authority::root("root");
    let ordinary = root
        .intermediate("middle")
        .issue(Leaf::new(&["fabrikam.example"]));
    let (ordinary, _) = cost(&root, &ordinary.chain);
    println!("an ordinary chain: {ordinary:?}");
    let mut worst = Duration::ZERO;
    for (name, root, chain) in chains() {
        let bytes: usize = chain.iter().map(|it| it.len()).sum();
        let (time, is_good) = cost(&root, &chain);
        println!("{name}: {bytes} bytes, {time:?}, good: {is_good}");
        worst = worst.max(time);
    }
    assert!(
        worst <= ordinary * WORST_CHAIN,
        "{worst:?}, an ordinary one {ordinary:?}"
    );
}

/// One stream of a partner that sends what costs most, as fast as it is taken: it has one processor
/// at most, and memory that does not grow with what it sends.
#[test]
fn the_worst_second_of_a_partner_takes_one_processor_and_little_memory() {
    let authority = Server::start();
    let lab = super::lab(authority.address, "", "");
    let daemon = Daemon::start(&lab);
    let mut link = link(&daemon);
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(1..) = link.read(&mut buffer) {}
    });
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    converse(&stream, HEADER, "</stream:features>");
    let key = "<db:result from='fabrikam.example' to='contoso.example'>key</db:result>";
    converse(&stream, key, "type='valid'/>");
    let stanzas: String = shapes().into_iter().map(|(_, stanza)| stanza).collect();
    let (before, begun) = ((daemon.resident(), computed(&daemon)), Instant::now());
    let writing = std::thread::spawn(move || {
        let mut sent = 0;
        while begun.elapsed() < flood_time() {
            if (&stream).write_all(stanzas.as_bytes()).is_err() {
                let mut said = String::new();
                (&stream).read_to_string(&mut said).unwrap_or_default();
                panic!("the stream has ended: {said}");
            }
            sent += stanzas.len();
        }
        sent
    });
    let mut grown = 0;
    while !writing.is_finished() {
        grown = grown.max(daemon.resident().saturating_sub(before.0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = writing.join().unwrap();
    let share = (computed(&daemon) - before.1).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "{} KiB in {:?}: {share:.2} processors, {} KiB held",
        sent >> 10,
        begun.elapsed(),
        grown >> 10
    );
    // The link's own task writes what passes.
    assert!(share <= 1.9, "{share} processors");
    assert!(grown <= 24 << 20, "{grown} bytes");
}

/// What the daemon has computed so far.
fn computed(daemon: &Daemon) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let after = text.rsplit(')').next().unwrap();
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    // Linux counts in hundredths of a second.
    Duration::from_millis(10 * ticks)
}

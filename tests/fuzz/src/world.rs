//! The edge and its partners, as the machines see them: fixed, so that a finding repeats.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, UnixTime};
use xmpp_edge::proto::auth::chain::{Anchors, CertReport, Checker, TlsFacts, TlsVersion};
use xmpp_edge::proto::auth::dialback::{Answer, Question};
use xmpp_edge::proto::auth::dialback_key::DialbackSecret;
use xmpp_edge::proto::auth::handshake::LinkSecret;
use xmpp_edge::proto::auth::{Authenticated, Pair, external, handshake};
use xmpp_edge::proto::jid::Domain;
use xmpp_edge::proto::policy::Negotiation::{NotSupported, Optional, Required};
use xmpp_edge::proto::policy::{DomainPattern, Negotiation, Partner, Reason, Rules};
use xmpp_edge::proto::stanza::{
    Addressed, Remembered, Validated, Written, from_gateway, from_partner, permit,
};
use xmpp_edge::proto::stream::{
    Context, IdSource, Input, Machine, Now, Outbound, Output, Purpose, Timing, Unproven,
};
use xmpp_edge::proto::xml::{Element, Ns, StreamKind};

use crate::pki::{Authority, Leaf, NOW};

/// Whom the edge speaks for.
pub const LOCAL: &str = "edge.example";
/// Partners, one for each combination of settings that differs on the wire.
pub const PARTNERS: [(&str, Negotiation, Negotiation, bool); 4] = [
    ("strict.example", Required, Required, false),
    ("either.example", Required, Optional, true),
    ("loose.example", Optional, Optional, true),
    ("plain.example", NotSupported, NotSupported, true),
];
const SECRET: &str = "a secret of sixteen bytes, and more";

/// What does not change from one run to the next.
pub struct World {
    /// What the edge decides by.
    pub context: Arc<Context>,
    /// The same after a reload that leaves the loose partners out.
    pub stricter: Arc<Context>,
    /// The secret of the link.
    pub secret: Arc<LinkSecret>,
    /// What partners' handshakes may show.
    pub handshakes: Vec<TlsFacts>,
    /// To be delivered to partners.
    pub outbound: Vec<Validated<Written>>,
    /// To be delivered to the gateway.
    pub inbound: Vec<Validated<Written>>,
    start: Instant,
}

/// The one world.
pub static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let root = Authority::root("root");
        let (anchors, _) = Anchors::from_der([root.certificate.clone()]);
        let anchors = Arc::new(anchors);
        let names: Vec<_> = PARTNERS.iter().map(|(name, ..)| *name).collect();
        let facts = |chain: Vec<CertificateDer<'static>>, version| TlsFacts {
            version,
            chain: chain.into(),
        };
        let handshakes = vec![
            facts(
                root.issue(Leaf::new(&names).server_only()).chain,
                TlsVersion::Tls13,
            ),
            facts(Leaf::new(&names).self_signed().chain, TlsVersion::Tls12),
            facts(
                root.issue(Leaf::new(&["x.example"])).chain,
                TlsVersion::Tls13,
            ),
            facts(Vec::new(), TlsVersion::Tls13),
        ];
        let context = context(&anchors, &PARTNERS);
        let link = handshake::digest("id", SECRET);
        let link = handshake::prove(domain(LOCAL), "id", SECRET, &link).expect("the right digest");
        let pair = Pair {
            local: domain(LOCAL),
            remote: domain("strict.example"),
        };
        let good = CertReport {
            domain: pair.remote.clone(),
            verdict: Ok(()),
            until: u64::MAX,
            certificate: None,
            shown: None,
            unpinned: None,
        };
        let pair = external::prove(pair, &good).expect("a good certificate");
        Self {
            outbound: stanzas(
                &context,
                ("u@edge.example", "v@strict.example"),
                StreamKind::Server,
                |element| from_gateway(element, &link, &context.rules).ok(),
            ),
            inbound: stanzas(
                &context,
                ("v@strict.example", "u@edge.example"),
                StreamKind::Component,
                |element| {
                    let proven: &[Authenticated<Pair>] = std::slice::from_ref(&pair);
                    from_partner(element, proven).ok()
                },
            ),
            stricter: self::context(&anchors, &PARTNERS[..1]),
            secret: Arc::new(LinkSecret::new(SECRET.to_owned())),
            start: Instant::now(),
            handshakes,
            context,
        }
    }

    /// The time, so long after the start.
    pub fn at(&self, elapsed: Duration) -> Now {
        Now {
            monotonic: self.start + elapsed,
            wall: UnixTime::since_unix_epoch(Duration::from_secs(NOW) + elapsed),
        }
    }

    /// Ids that are the same in every run.
    pub fn ids(&self) -> IdSource {
        IdSource::new([7; 32])
    }

    /// What the authoritative server says to a question, where it can be asked in the clear.
    pub fn answer(&self, question: &Question, verdict: &str) -> Answer {
        let now = self.at(Duration::ZERO);
        let pair = question.pair.clone();
        let id = question.stream_id.as_str();
        let said = format!(
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
             xmlns:db='jabber:server:dialback' from='{0}' to='{1}' id='a' version='1.0'>\
             <stream:features/><db:verify from='{0}' to='{1}' id='{id}' type='{verdict}'/>",
            pair.remote, pair.local,
        );
        let purpose = Purpose::Ask(Box::new(question.clone()));
        let context = Arc::clone(&self.context);
        let mut asking = Outbound::new(context, self.ids(), pair, purpose, true, now);
        asking.handle(now, Input::Connected);
        asking.handle(now, Input::Bytes(said.as_bytes()));
        while let Some(output) = asking.poll_output() {
            if let Output::Answered(answer) = output {
                return answer;
            }
        }
        Answer::unreachable(
            question.clone(),
            &Reason::NoService(question.pair.to_string()),
        )
    }

    /// What stands in a script for something that only this run knows.
    pub fn fill(&self, script: &str, remote: &str) -> String {
        let mut filled = script.replace("REMOTE", remote).replace("LOCAL", LOCAL);
        if filled.contains("DIGEST") {
            let digest = handshake::digest(&self.ids().next_id(), SECRET);
            filled = filled.replace("DIGEST", &digest);
        }
        if filled.contains("KEY") {
            let (remote, local) = (domain(remote), domain(LOCAL));
            let key = self.context.dialback.generate(&remote, &local, "theirs");
            filled = filled.replace("KEY", &key);
        }
        filled
    }
}

/// A domain that is one.
pub fn domain(name: &str) -> Domain {
    Domain::parse(name).expect("a domain")
}

type Settings = (&'static str, Negotiation, Negotiation, bool);

fn context(anchors: &Arc<Anchors>, partners: &[Settings]) -> Arc<Context> {
    let partner = |(line, settings): (usize, &Settings)| Partner {
        additional: vec![DomainPattern::Subdomains(domain(settings.0))],
        tls: settings.1,
        sasl: settings.2,
        dialback: settings.3,
        line,
        ..Partner::new(domain(settings.0))
    };
    let partners = partners.iter().enumerate().map(partner).collect();
    Arc::new(Context {
        rules: Rules::new(vec![domain(LOCAL), domain("two.example")], partners)
            .expect("rules without contradiction"),
        anchors: Arc::clone(anchors),
        checker: Checker::default(),
        dialback: DialbackSecret::new(SECRET.as_bytes()).expect("a long secret"),
        timing: Timing {
            establishment: Duration::from_secs(60),
            inactivity: Duration::from_secs(600),
            keep_alive: Duration::from_secs(300),
        },
        unproven: Unproven::default(),
        max_stanza_bytes: 16 * 1024,
        max_stanza_depth: 64,
        pairs_per_stream: 64,
        annotate: true,
    })
}

fn stanzas(
    context: &Context,
    (from, to): (&'static str, &'static str),
    stream_kind: StreamKind,
    check: impl Fn(Element) -> Option<Addressed>,
) -> Vec<Validated<Written>> {
    let named = |name: &'static str| {
        Element::new(Ns::CONTENT, name)
            .with_attribute("from", from)
            .with_attribute("to", to)
    };
    let body = Element::new(Ns::CONTENT, "body").with_text("<&\r]]>");
    let ping = Element::new(Ns::PING, "ping");
    [
        named("message")
            .with_attribute("type", "chat")
            .with_child(body),
        named("presence"),
        named("iq")
            .with_attribute("type", "get")
            .with_attribute("id", "1")
            .with_child(ping),
    ]
    .into_iter()
    .filter_map(check)
    .map(|stanza| permit(stanza, Remembered::default(), &context.rules, true).expect("it may pass"))
    .map(|stanza| stanza.write(stream_kind))
    .collect()
}

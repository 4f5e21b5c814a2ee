//! The eighteen combinations of tls, sasl and dialback, on the wire, both ways, against partners
//! that can do everything and partners that can do one thing only.

use std::sync::Arc;

use tokio::task::JoinSet;
use xmpp_edge::proto::policy::{Method, Methods, Negotiation};

use super::partner::Able;
use super::stage::Stage;
use crate::lab::{Lab, PARTNERS};

const WORDS: [Negotiation; 3] = [
    Negotiation::Required,
    Negotiation::Optional,
    Negotiation::NotSupported,
];

/// One combination, and one partner it is set for.
struct Case {
    settings: (Negotiation, Negotiation, bool),
    able: Able,
    domain: String,
}

impl Case {
    /// The strongest method that the settings and the partner leave.
    fn want(&self) -> Option<Method> {
        let (tls, sasl, dialback) = self.settings;
        Methods::of(tls, sasl, dialback)
            .iter()
            .find(|method| self.able.can(*method))
    }

    fn entry(&self) -> String {
        let (tls, sasl, dialback) = self.settings;
        format!(
            "[[partner]]\nprimary-domain = \"{}\"\ntype = \"federated\"\ntls = \"{}\"\n\
             sasl = \"{}\"\ndialback = {dialback}\nROUTE\n\n",
            self.domain,
            tls.as_str(),
            sasl.as_str()
        )
    }
}

fn combinations() -> impl Iterator<Item = (Negotiation, Negotiation, bool)> {
    WORDS.into_iter().flat_map(|tls| {
        WORDS
            .into_iter()
            .flat_map(move |sasl| [true, false].map(|dialback| (tls, sasl, dialback)))
    })
}

/// The thirteen that leave a method, for each of the four kinds of partner.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, settings) in combinations().enumerate() {
        if Methods::of(settings.0, settings.1, settings.2).is_empty() {
            continue;
        }
        for able in Able::ALL {
            cases.push(Case {
                settings,
                able,
                domain: format!("p{number}-{}.example", able.name),
            });
        }
    }
    cases
}

async fn stage(cases: &[Case]) -> Stage {
    let domains: Vec<_> = cases.iter().map(|case| case.domain.as_str()).collect();
    let entries: String = cases.iter().map(Case::entry).collect();
    Stage::new(&domains, &entries).await
}

#[test]
fn five_of_the_eighteen_are_refused_before_anything_listens() {
    let refused = combinations()
        .filter(|(tls, sasl, dialback)| {
            let (tls, sasl) = (tls.as_str(), sasl.as_str());
            let settings = format!("tls = \"{tls}\"\nsasl = \"{sasl}\"\ndialback = {dialback}\n");
            let lab = Lab::new();
            lab.write("partners.toml", &format!("{PARTNERS}{settings}"), 0o600);
            lab.examine().config.is_none()
        })
        .count();
    assert_eq!((refused, cases().len()), (5, 13 * 4));
}

#[tokio::test]
async fn a_partner_that_comes_is_proven_in_the_strongest_way_left_or_not_at_all() {
    let cases = cases();
    let stage = stage(&cases).await;
    let stage = Arc::new(stage);
    let mut attempts = JoinSet::new();
    for case in cases {
        attempts.spawn(come(Arc::clone(&stage), case));
    }
    let wrong: Vec<_> = attempts.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stage.is_balanced());
}

/// What is wrong about how a partner was received.
async fn come(stage: Arc<Stage>, case: Case) -> Option<String> {
    let domain = &case.domain;
    match (stage.enter(domain).await, case.want()) {
        (Ok((mut wire, method)), Some(want)) if method == want => {
            wire.send(&format!(
                "<message from='a@{domain}' to='b@contoso.example'><body>hi</body></message>"
            ))
            .await;
            // The gateway is told the same, so it is what the edge believes, too.
            let note = format!("domain='{domain}'");
            let way = format!("method='{method}'");
            stage.inside.find(&["<body>hi</body>", &note, &way]).await;
            None
        }
        (Err(_), None) => None,
        (entered, want) => {
            let got = entered.map(|(_, method)| method);
            Some(format!("{domain}: {got:?}, want {want:?}"))
        }
    }
}

#[tokio::test]
async fn a_partner_that_is_dialled_proves_us_in_the_strongest_way_left_or_hears_nothing() {
    let cases = cases();
    let stage = stage(&cases).await;
    for case in &cases {
        let domain = &case.domain;
        stage.send(&format!(
            "<message from='b@contoso.example' to='a@{domain}' id='i'><body>hi</body></message>"
        ));
    }
    for case in &cases {
        let domain = &case.domain;
        match case.want() {
            Some(method) => {
                let start = format!("{domain} {method} <message");
                stage.outside.find(&[&start]).await;
            }
            None => {
                let from = format!("from='a@{domain}'");
                stage.inside.find(&["type='error'", &from]).await;
                let message = format!("{domain} ");
                let heard = |line: &String| line.starts_with(&message) && line.contains("<message");
                assert!(!stage.outside.lines().iter().any(heard), "{domain}");
            }
        }
    }
    assert!(stage.is_balanced());
}

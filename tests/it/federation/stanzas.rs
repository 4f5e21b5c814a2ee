//! What a partner's terms leave of its stanzas, on the wire.

use std::time::{Duration, Instant};

use xmpp_edge::net::live::registry::Kind;

use super::stage::Stage;
use super::wire::Wire;

const FROM: &str = "from='romeo@fabrikam.example/b' to='juliet@contoso.example'";
const TO: &str = "from='juliet@contoso.example' to='romeo@fabrikam.example'";

fn entry(terms: &str) -> String {
    format!("[[partner]]\nprimary-domain = \"fabrikam.example\"\nROUTE\n{terms}\n")
}

async fn stage(terms: &str) -> Stage {
    Stage::new(&["fabrikam.example"], &entry(terms)).await
}

async fn enter(stage: &Stage) -> Wire {
    stage.enter("fabrikam.example").await.unwrap().0
}

#[tokio::test]
async fn a_stranger_is_heard_once_the_local_user_has_added_them() {
    let terms = "type = \"public-unverified\"";
    let stage = stage(terms).await;
    let mut wire = enter(&stage).await;
    for (stanza, answer) in [
        (
            "<message ATT id='s1'><body>spam</body></message>",
            "policy-violation",
        ),
        (
            "<presence ATT id='s2' type='subscribe'/>",
            "type='unsubscribed'",
        ),
        (
            "<iq ATT id='s3' type='get'><query xmlns='jabber:iq:version'/></iq>",
            "service-unavailable",
        ),
    ] {
        wire.send(&stanza.replace("ATT", FROM)).await;
        let id = stanza.split('\'').nth(1).unwrap();
        let line = stage.outside.find(&[&format!("id='{id}'")]).await;
        assert!(line.contains(answer), "{line}");
    }
    // Answers pass where there was a question, once, and what comes after them shows that the others
    // did not.
    const TO_B: &str = "from='juliet@contoso.example' to='romeo@fabrikam.example/b'";
    stage.send(&format!(
        "<iq {TO_B} id='a1' type='get'><q xmlns='u'/></iq>"
    ));
    stage.outside.find(&["id='a1'", "type='get'"]).await;
    for unasked in [
        format!("<iq {FROM} id='a0' type='result'/>"),
        format!("<message {FROM} id='a1' type='error'><body>spam</body><error/></message>"),
        "<iq from='fabrikam.example' to='contoso.example' id='xmpp-edge-ping-1' type='result'/>"
            .to_owned(),
        format!("<iq {FROM} id='a1' type='result'/>"),
        format!("<iq {FROM} id='a1' type='result'><q xmlns='again'/></iq>"),
    ] {
        wire.send(&unasked).await;
    }
    stage.inside.find(&["id='a1'"]).await;
    wire.send(&format!("<message {FROM} id='s3b'><body/></message>"))
        .await;
    stage.outside.find(&["id='s3b'", "policy-violation"]).await;
    let unasked = stage.daemon.edge().ledger.total().dropped;
    assert_eq!(unasked, 4);
    assert_eq!(stage.inside.lines().len(), 1);

    stage.send(&format!("<presence {TO} id='o1' type='subscribe'/>"));
    stage.outside.find(&["id='o1'"]).await;
    wire.send(&format!("<presence {FROM} id='a2' type='subscribed'/>"))
        .await;
    wire.send(&format!(
        "<message {FROM} id='a3'><body>hi</body></message>"
    ))
    .await;
    let line = stage.inside.find(&["id='a3'"]).await;
    assert!(line.contains("type='public-unverified'"), "{line}");
    stage.inside.find(&["id='a2'"]).await;

    stage.send(&format!("<presence {TO} id='o2' type='unsubscribe'/>"));
    stage.outside.find(&["id='o2'"]).await;
    wire.send(&format!(
        "<message {FROM} id='s4'><body>still there?</body></message>"
    ))
    .await;
    stage.outside.find(&["id='s4'", "policy-violation"]).await;
    assert!(stage.is_balanced());
    let total = stage.daemon.edge().ledger.total();
    assert_eq!((total.bounced, total.dropped), (5, 4));
}

#[tokio::test]
async fn public_partners_see_presence_without_its_notes() {
    let stage = stage("type = \"public-verified\"").await;
    stage.send(&format!(
        "<presence {TO} id='p1'><show>dnd</show><status>with the board</status></presence>"
    ));
    let line = stage.outside.find(&["id='p1'"]).await;
    assert!(
        line.contains("<show>dnd</show>") && !line.contains("board"),
        "{line}"
    );
}

#[tokio::test]
async fn users_without_access_do_not_exist() {
    let more = "[access]\nexceptions = [\"juliet@contoso.example\"]\n";
    let partners = entry("type = \"federated\"");
    let stage = Stage::with_more(more, &["fabrikam.example"], &partners).await;
    let mut wire = enter(&stage).await;
    let message = |id: &str, to: &str| {
        format!(
            "<message from='romeo@fabrikam.example' to='{to}@contoso.example' id='{id}'><body/></message>"
        )
    };
    wire.send(&message("m1", "JULIET")).await;
    let line = stage.outside.find(&["id='m1'"]).await;
    assert!(
        line.contains("service-unavailable") && !line.contains("<text"),
        "{line}"
    );
    wire.send(&message("m2", "nurse")).await;
    stage.inside.find(&["id='m2'"]).await;
    stage.send(&format!("<message {TO} id='m3'><body/></message>"));
    stage.inside.find(&["id='m3'", "policy-violation"]).await;
}

#[tokio::test]
async fn whoever_may_not_open_a_conversation_may_answer_in_it() {
    let stage = stage("type = \"federated\"\ndirection = \"outbound\"").await;
    let mut wire = enter(&stage).await;
    let message = |att: &str, id: &str| format!("<message {att} id='{id}'><body/></message>");
    wire.send(&message(FROM, "m1")).await;
    stage.outside.find(&["id='m1'", "policy-violation"]).await;
    stage.send(&message(TO, "m2"));
    stage.outside.find(&["id='m2'"]).await;
    wire.send(&message(FROM, "m3")).await;
    stage.inside.find(&["id='m3'"]).await;
}

/// A stanza that is too long to go out comes back, and the stream lives on.
#[tokio::test]
async fn each_partner_has_its_own_longest_stanza() {
    let stage = stage("type = \"federated\"\nmax-stanza-bytes = 400000").await;
    let long = |att: &str, id: &str, length| {
        let body = "x".repeat(length);
        format!("<message {att} id='{id}'><body>{body}</body></message>")
    };
    // More than the 262144 of everybody else, either way.
    stage.send(&long(TO, "m1", 390_000));
    stage.outside.find(&["id='m1'"]).await;
    stage.send(&long(TO, "m2", 400_000));
    let line = stage.inside.find(&["id='m2'"]).await;
    assert!(
        line.contains("type='error'") && line.contains("policy-violation"),
        "{line}"
    );
    stage.send(&long(TO, "m3", 10));
    stage.outside.find(&["id='m3'"]).await;
    let mut wire = enter(&stage).await;
    wire.send(&long(FROM, "m4", 390_000)).await;
    stage.inside.find(&["id='m4'"]).await;
    wire.send(&long(FROM, "m5", 400_000)).await;
    let line = stage.outside.find(&["id='m5'"]).await;
    assert!(
        line.contains("type='error'") && line.contains("policy-violation"),
        "{line}"
    );
    // The stream of all other users lives on.
    wire.send(&long(FROM, "m6", 10)).await;
    stage.inside.find(&["id='m6'"]).await;
}

#[tokio::test]
async fn a_partner_has_so_many_streams_and_no_more() {
    let stage = stage("type = \"federated\"\nconnection-limit = 2").await;
    let (first, mut second) = (enter(&stage).await, enter(&stage).await);
    let third = stage.enter("fabrikam.example").await.err().unwrap();
    assert!(third.contains("resource-constraint"), "{third}");
    // Streams of ours count too.
    stage.send(&format!("<message {TO} id='m1'><body/></message>"));
    stage.inside.find(&["id='m1'", "resource-constraint"]).await;
    second
        .send(&format!("<message {FROM} id='m2'><body/></message>"))
        .await;
    stage.inside.find(&["id='m2'"]).await;
    // A place that is given up is there for whoever comes next, at once.
    drop((first, second));
    stage.daemon.edge().registry.none_left(Kind::Inbound).await;
    stage.send(&format!("<message {TO} id='m3'><body/></message>"));
    stage.outside.find(&["id='m3'"]).await;
}

#[tokio::test]
async fn a_partner_that_writes_too_fast_is_read_more_slowly_and_loses_nothing() {
    let stage = stage("type = \"federated\"\nstanza-rate = 40").await;
    let mut wire = enter(&stage).await;
    let begin = Instant::now();
    // The burst is five seconds' worth: 200; the rest takes 20 / 40 s.
    for number in 1..=221 {
        wire.send(&format!(
            "<message {FROM} id='n{number}.'><body/></message>"
        ))
        .await;
    }
    stage.inside.find(&["id='n200.'"]).await;
    stage.inside.find(&["id='n221.'"]).await;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(480), "{took:?}");
    let ids: Vec<_> = stage
        .inside
        .lines()
        .iter()
        .map(|line| number(line))
        .collect();
    assert_eq!(ids, (1..=221).collect::<Vec<_>>());
}

/// An edge that stops does not wait for rates, and still loses nothing that it has read.
#[tokio::test]
async fn stopping_does_not_wait_for_a_slow_rate() {
    let stage = stage("type = \"federated\"\nstanza-rate = 1").await;
    let mut wire = enter(&stage).await;
    let all: String = (1..=40)
        .map(|number| format!("<message {FROM} id='n{number}.'><body/></message>"))
        .collect();
    wire.send(&all).await;
    // The burst has passed, and one more: the next would take a second each.
    stage.inside.find(&["id='n6.'"]).await;
    // The partner closes when the edge does.
    tokio::spawn(async move { while wire.element().await.is_some() {} });
    let begin = Instant::now();
    let (inside, ledger) = stage.stop().await;
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let lines = inside.lines();
    let messages = lines.iter().filter(|line| line.contains("<message"));
    assert_eq!(messages.count(), 40);
    let total = ledger.total();
    assert_eq!((total.accepted, total.delivered), (40, 40));
}

fn number(line: &str) -> usize {
    let (_, rest) = line.split_once("id='n").unwrap();
    rest.split('.').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_older_tls_than_the_partners_minimum_is_refused() {
    let stage = stage("type = \"federated\"\nminimum-tls-version = \"1.3\"").await;
    assert!(stage.enter("fabrikam.example").await.is_ok());
    assert!(stage.enter_with_tls12("fabrikam.example").await.is_err());
}

#[tokio::test]
async fn open_federation_takes_whoever_proves_who_they_are() {
    let default = "[default-partner]\ntype = \"public-unverified\"\nconnection-limit = 1\n";
    let domains = ["northwind.example", "litware.example"];
    let stage = Stage::new(&domains, default).await;
    let (mut wire, _) = stage.enter("northwind.example").await.unwrap();
    wire.send(
        "<iq from='northwind.example' to='contoso.example' id='q1' type='get'>\
         <ping xmlns='urn:xmpp:ping'/></iq>",
    )
    .await;
    let line = stage.inside.find(&["id='q1'"]).await;
    assert!(line.contains("domain='northwind.example'"), "{line}");
    // Each domain has limits of its own.
    assert!(stage.enter("litware.example").await.is_ok());
    assert!(stage.enter("contoso.example").await.is_err());
}

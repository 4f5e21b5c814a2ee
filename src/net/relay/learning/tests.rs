use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::net::relay::queue::tests::id;
use crate::proto::auth::handshake;
use crate::proto::jid::Domain;
use crate::proto::policy::{Partner, Rules};
use crate::proto::stanza::{Remembered, from_gateway, permit};
use crate::proto::xml::{Element, Ns, StreamKind};
use crate::store::tests::slow::Slow;

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

/// A stanza that has passed policy, known by its id.
fn queued(
    user: &str,
    contact: &str,
    name: &str,
    stanza_type: Option<&str>,
    id: &str,
) -> QueuedStanza {
    let mut element = Element::new(Ns::CONTENT, name.to_owned())
        .with_attribute("from", format!("{user}@contoso.example"))
        .with_attribute("to", format!("{contact}@chat.example"))
        .with_attribute("id", id);
    if let Some(stanza_type) = stanza_type {
        element.set_attribute("type", stanza_type);
    }
    let local = domain("contoso.example");
    let partner = Partner::new(domain("chat.example"));
    let rules = Rules::new(vec![local.clone()], vec![partner]).unwrap();
    let digest = handshake::digest("id", "secret");
    let proof = handshake::prove(local, "id", "secret", &digest).unwrap();
    let stanza = from_gateway(element, &proof, &rules).unwrap();
    let stanza = permit(stanza, Remembered::default(), &rules, false).unwrap();
    QueuedStanza::own(stanza.write(StreamKind::Server))
}

fn subscribe(user: &str, contact: &str, id: &str) -> QueuedStanza {
    queued(user, contact, "presence", Some("subscribe"), id)
}

fn message(user: &str, contact: &str, id: &str) -> QueuedStanza {
    queued(user, contact, "message", None, id)
}

fn on(disk: &Slow) -> (TempDir, Contacts, Arc<Learning>) {
    let directory = tempfile::tempdir().unwrap();
    let contacts = disk.open(directory.path());
    let learning = Arc::new(Learning::new(contacts.clone()));
    (directory, contacts, learning)
}

/// The ids of what goes on, in order, until nothing waits for these two users any more.
async fn settled(learning: &Learning, user_pair: &UserPair) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(next) = learning.next(user_pair).await {
        match next {
            Next::Carry(queued) => ids.push(id(&queued)),
            Next::Kept => {}
            Next::NotKept(error, ..) => ids.push(error.to_string()),
        }
    }
    ids
}

fn begins(taken: Taken) -> UserPair {
    match taken {
        Taken::Begins(user_pair, None) => user_pair,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn while_the_disk_hangs_only_the_same_two_users_wait_and_keep_their_order() {
    let disk = Slow::default();
    let (_directory, contacts, learning) = on(&disk);
    disk.hang(true);
    let user_pair = begins(learning.take(subscribe("anne", "bob", "1"), true));
    let settling = tokio::spawn({
        let learning = Arc::clone(&learning);
        async move { settled(&learning, &user_pair).await }
    });
    for waits in [
        message("anne", "bob", "2"),
        subscribe("ANNE", "bob", "3"),
        message("anne", "bob", "4"),
    ] {
        assert!(matches!(learning.take(waits, true), Taken::Waits(None)));
    }
    for goes in [message("anne", "carl", "5"), message("dora", "bob", "6")] {
        assert!(matches!(learning.take(goes, true), Taken::Goes(_)));
    }
    disk.hang(false);
    assert_eq!(settling.await.unwrap(), ["1", "2", "3", "4"]);
    let user_pair = user_pair_of("anne", "bob");
    assert!(contacts.contains(&user_pair.0, &user_pair.1));
    assert!(matches!(
        learning.take(message("anne", "bob", "7"), true),
        Taken::Goes(_)
    ));
}

fn user_pair_of(user: &str, contact: &str) -> UserPair {
    user_pair(&message(user, contact, "x").stanza)
}

#[tokio::test]
async fn where_contacts_decide_nothing_the_stanza_does_not_wait_for_the_disk() {
    let disk = Slow::default();
    let (_directory, contacts, learning) = on(&disk);
    disk.hang(true);
    let Taken::Begins(user_pair, Some(gone)) = learning.take(subscribe("anne", "bob", "1"), false)
    else {
        panic!("it waits");
    };
    assert_eq!(id(&gone), "1");
    assert!(matches!(
        learning.take(message("anne", "bob", "2"), false),
        Taken::Goes(_)
    ));
    let taken_back = queued("anne", "bob", "presence", Some("unsubscribe"), "3");
    assert!(matches!(
        learning.take(taken_back, false),
        Taken::Waits(Some(_))
    ));
    disk.hang(false);
    assert!(settled(&learning, &user_pair).await.is_empty());
    // The changes were made in their order.
    assert!(!contacts.contains(&user_pair.0, &user_pair.1));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_bounces_the_subscription_after_a_while() {
    let disk = Slow::default();
    let (_directory, _contacts, learning) = on(&disk);
    disk.hang(true);
    let user_pair = begins(learning.take(subscribe("anne", "bob", "1"), true));
    let next = learning.next(&user_pair).await;
    assert!(
        matches!(next, Some(Next::NotKept(StoreError::Slow(10), _, Some(_)))),
        "{next:?}"
    );
    disk.hang(false);
}

/// Each commit has some syncs. One after the other, a thousand would need thousands.
#[tokio::test]
async fn a_thousand_subscriptions_take_few_commits() {
    let disk = Slow::new(Duration::from_millis(10));
    let (_directory, contacts, learning) = on(&disk);
    let before = disk.syncs.load(SeqCst);
    let begun = Instant::now();
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let wish = subscribe("anne", &format!("friend{number}"), "1");
            let user_pair = begins(learning.take(wish, true));
            let learning = Arc::clone(&learning);
            tokio::spawn(async move { settled(&learning, &user_pair).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), ["1"]);
    }
    let syncs = disk.syncs.load(SeqCst) - before;
    println!("{syncs} syncs, {} ms", begun.elapsed().as_millis());
    assert!(syncs <= 40, "{syncs} syncs of 10 ms");
    assert_eq!(contacts.list().len(), 1000);
}

#[tokio::test]
async fn what_waits_is_bounded_in_all_and_for_each_user() {
    let disk = Slow::default();
    let (_directory, _contacts, learning) = on(&disk);
    disk.hang(true);
    for number in 0..MOST_OF_ONE {
        begins(learning.take(subscribe("anne", &format!("f{number}"), "1"), true));
    }
    let more = || subscribe("anne", "another", "1");
    assert!(matches!(learning.take(more(), true), Taken::Full(_)));
    for user in 1..MOST / MOST_OF_ONE {
        for number in 0..MOST_OF_ONE {
            let wish = subscribe(&format!("user{user}"), &format!("f{number}"), "1");
            begins(learning.take(wish, true));
        }
    }
    let late = subscribe("late", "bob", "1");
    assert!(matches!(learning.take(late, true), Taken::Full(_)));
    // Everything else goes on.
    let other = message("late", "bob", "2");
    assert!(matches!(learning.take(other, true), Taken::Goes(_)));
    assert_eq!(learning.drain().len(), MOST);
    begins(learning.take(more(), true));
    disk.hang(false);
}

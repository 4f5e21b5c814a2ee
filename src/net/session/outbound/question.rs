//! A question about a dialback key: asked on a stream of its own, for a stream that waits for it.

use std::future::pending;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::reach;
use super::side::Dialling;
use crate::net::edge::Edge;
use crate::net::guard::verifications::SLOW;
use crate::net::io::clock;
use crate::net::session::stream_log::Charged;
use crate::proto::auth::dialback::{Answer, Question, Verdict};
use crate::proto::policy::Reason;
use crate::proto::stream::Purpose;

/// How long a question may take in all, once it has a place: longer than any server takes that is
/// there, and no longer than those who ask wait for an answer.
const ASKING: Duration = Duration::from_secs(20);

/// Asks the authoritative server of a partner's domain about a dialback key, for whoever connected
/// from where that partner has proven itself before, or for a stranger.
pub async fn ask(edge: Arc<Edge>, question: Question, from: IpAddr, is_familiar: bool) -> Answer {
    let account = edge.context().rules.account_of(&question.pair.remote);
    let verifications = Arc::clone(&edge.settings.load().verifications);
    let Ok(mut place) = verifications.enter(&account, from, is_familiar).await else {
        return Answer::unreachable(question, &Reason::TooManyPending);
    };
    let (told, mut answers) = mpsc::channel(1);
    let (its_edge, its_question) = (Arc::clone(&edge), question.clone());
    // Ends with whoever asks, but once the answer is there the stream is closed without hurry.
    let mut reaching = JoinSet::new();
    reaching.spawn(async move {
        let side = |stream_log| Dialling {
            edge: Arc::clone(&its_edge),
            stream_log,
            queue: None,
            opened: None,
            told: Some(told.clone()),
            outcome: None,
            external_refused: false,
            resumes: None,
            entry: None,
            guests: None,
            end_is_told: false,
            trail: None,
        };
        let pair = its_question.pair.clone();
        let deadline = clock::instant() + its_edge.context().timing.establishment.min(ASKING);
        let purpose = Purpose::Ask(Box::new(its_question));
        let purpose = (&purpose, Charged::Stranger(from));
        let reached = reach(&its_edge, &pair, purpose, deadline, None, side).await;
        let reached = reached.map_err(|why| why.reason)?;
        reached.end().await.map(|ended| ended.reason)
    });
    let mut patience = pin!(sleep(SLOW));
    let mut given_up = None;
    let answer = loop {
        let is_slow = given_up.is_some();
        let over = async {
            match &mut given_up {
                Some(given_up) => drop(given_up.await),
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(answer) = answers.recv() => break answer,
            ended = reaching.join_next() => break match ended {
                Some(Ok(Ok(reason) | Err(reason))) => Answer::unreachable(question, &reason),
                Some(Err(_)) | None => Answer::unreachable(question, &Reason::Shutdown),
            },
            () = over => return Answer::unreachable(question, &Reason::TooManyPending),
            () = &mut patience, if !is_slow => given_up = Some(place.is_slow()),
        }
    };
    if *answer.verdict() == Verdict::Valid {
        place.has_proven();
    }
    // The place is free when the stream has closed, too: it holds a descriptor until then.
    tokio::spawn(async move {
        while reaching.join_next().await.is_some() {}
        drop(place);
    });
    answer
}

//! A partner's server: it proves itself by dialback, and answers questions about its own keys.

use tokio::io::{AsyncWriteExt as _, split};
use tokio::sync::{mpsc, watch};

use super::script::{LOCALS, PARTNERS, Reading, attribute, header};
use crate::net::io::transport::memory::End;

/// Opens a stream to the edge, and says on it what it is told to, until nothing more will come.
pub(super) async fn enters(
    end: End,
    partner: usize,
    local: usize,
    mut said: mpsc::Receiver<String>,
    reads: watch::Receiver<bool>,
) {
    let (source, mut sink) = split(end);
    let mut reading = Reading::new(source);
    let (from, to) = (PARTNERS[partner], LOCALS[local]);
    let opening = header(
        "jabber:server",
        &format!("from='{from}' to='{to}' version='1.0'"),
    );
    if sink.write_all(opening.as_bytes()).await.is_err() {
        return;
    }
    let key = format!("<db:result from='{from}' to='{to}'>key</db:result>");
    // The edge's features, and then its word.
    loop {
        let Some(element) = reading.next().await else {
            return;
        };
        if element.starts_with("<stream:features") {
            if sink.write_all(key.as_bytes()).await.is_err() {
                return;
            }
        } else if element.starts_with("<db:result") {
            if attribute(&element, "type") == Some("valid") {
                break;
            }
            return;
        }
    }
    speak(reading, sink, &mut said, reads).await;
}

/// Says what there is to say, and reads what comes, until the stream is over.
pub(super) async fn speak(
    mut reading: Reading<tokio::io::ReadHalf<End>>,
    mut sink: tokio::io::WriteHalf<End>,
    said: &mut mpsc::Receiver<String>,
    mut reads: watch::Receiver<bool>,
) {
    let read = async {
        loop {
            if reads.wait_for(|reads| *reads).await.is_err() {
                std::future::pending().await
            }
            match reading.next().await {
                None => return,
                Some(element) if element == "</stream:stream>" => return,
                Some(_) => {}
            }
        }
    };
    let write = async {
        while let Some(stanza) = said.recv().await {
            if sink.write_all(stanza.as_bytes()).await.is_err() {
                return;
            }
        }
        // The other side answers with the same, and closes.
        drop(sink.write_all(b"</stream:stream>").await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = read => {}
        () = write => return,
    }
    drop(sink.write_all(b"</stream:stream>").await);
    // Whatever comes still is read, so that closing resets nothing.
    while reading.next().await.is_some() {}
}

/// Takes a stream of the edge's: believes every key, answers every question.
pub(super) async fn takes(end: End, partner: usize, mut reads: watch::Receiver<bool>) {
    let (source, mut sink) = split(end);
    let mut reading = Reading::new(source);
    loop {
        if reads.wait_for(|reads| *reads).await.is_err() {
            return;
        }
        let Some(element) = reading.next().await else {
            return;
        };
        let from = PARTNERS[partner];
        let to = attribute(&element, "from").unwrap_or_default();
        let answer = if element.starts_with("<stream:stream") {
            header(
                "jabber:server",
                &format!("from='{from}' to='{to}' id='s1' version='1.0'"),
            ) + "<stream:features><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>"
        } else if element.starts_with("<db:result") {
            format!("<db:result from='{from}' to='{to}' type='valid'/>")
        } else if element.starts_with("<db:verify") {
            let id = attribute(&element, "id").unwrap_or_default();
            format!("<db:verify from='{from}' to='{to}' id='{id}' type='valid'/>")
        } else if element == "</stream:stream>" {
            drop(sink.write_all(b"</stream:stream>").await);
            while reading.next().await.is_some() {}
            return;
        } else {
            continue;
        };
        if sink.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

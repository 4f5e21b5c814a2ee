//! A gateway: it opens a link by XEP-0114.

use tokio::io::{AsyncWriteExt as _, split};
use tokio::sync::{mpsc, watch};

use super::partner::speak;
use super::script::{LOCALS, Reading, SECRET, attribute, header};
use crate::net::io::transport::memory::End;
use crate::proto::auth::handshake::digest;

/// Opens a link for a local domain, and says on it what it is told to, until nothing more will come.
pub(super) async fn links(
    end: End,
    local: usize,
    mut said: mpsc::Receiver<String>,
    reads: watch::Receiver<bool>,
) {
    let (source, mut sink) = split(end);
    let mut reading = Reading::new(source);
    let opening = header(
        "jabber:component:accept",
        &format!("to='{}'", LOCALS[local]),
    );
    if sink.write_all(opening.as_bytes()).await.is_err() {
        return;
    }
    loop {
        let Some(element) = reading.next().await else {
            return;
        };
        if element.starts_with("<stream:stream") {
            let proof = digest(attribute(&element, "id").unwrap_or_default(), SECRET);
            let proof = format!("<handshake>{proof}</handshake>");
            if sink.write_all(proof.as_bytes()).await.is_err() {
                return;
            }
        } else if element.starts_with("<handshake") {
            break;
        }
    }
    speak(reading, sink, &mut said, reads).await;
}

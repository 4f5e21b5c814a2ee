//! Lists and edits contacts for the administrator, while this process holds them.

use super::protocol::{ContactsRequest, Entry, RefusalCode, Reply};
use crate::proto::jid::BareJid;
use crate::store::Contacts;

/// What is answered, in its order.
pub(super) async fn answer(request: ContactsRequest, contacts: &Contacts) -> Vec<Reply> {
    let (entry, present) = match request {
        ContactsRequest::List {} => {
            let list = contacts.list();
            let entries = list.iter().map(|contact| Reply::Contact(contact.into()));
            return entries.chain([Reply::End(list.len())]).collect();
        }
        ContactsRequest::Add(entry) => (entry, true),
        ContactsRequest::Remove(entry) => (entry, false),
    };
    let changed = change(&entry, present, contacts).await;
    vec![changed.map_or_else(|refused| refused, Reply::Changed)]
}

async fn change(entry: &Entry, present: bool, contacts: &Contacts) -> Result<bool, Reply> {
    let address = |text: &str| {
        BareJid::parse(text).map_err(|error| {
            let text = format!("`{text}` is no address: {error}");
            Reply::refused(RefusalCode::NotAnAddress, text)
        })
    };
    let (local, remote) = (address(&entry.local)?, address(&entry.remote)?);
    let changed = if present {
        contacts.add(&local, &remote).await
    } else {
        contacts.remove(&local, &remote).await
    };
    changed.map_err(|error| Reply::refused(RefusalCode::NotChanged, error))
}

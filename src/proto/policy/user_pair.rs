//! A local and a remote user, and what stands for them in memory.

use sha2::{Digest as _, Sha256};

use crate::proto::jid::BareJid;

/// A local user and a remote one.
pub type UserPair = (BareJid, BareJid);

/// What stands for some texts, such as the addresses of two users: 16 bytes, however long they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairDigest([u8; 16]);

impl PairDigest {
    /// Of a local and a remote user. Nobody can find two pairs that have the same.
    #[must_use]
    pub fn of((local, remote): &UserPair) -> Self {
        Self::of_texts(&[local.as_str(), remote.as_str()])
    }

    /// Of several texts, in this order.
    #[must_use]
    pub fn of_texts(texts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for text in texts {
            digest.update(text);
            // No text of XML has this character in it.
            digest.update([0]);
        }
        let mut short = [0; 16];
        short.copy_from_slice(digest.finalize().first_chunk::<16>().unwrap_or(&[0; 16]));
        Self(short)
    }
}

//! How long things may take on a stream.

use std::time::Duration;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the connection to the first authenticated pair; from the first byte of a stanza to its
    /// last; and how long a partner may read nothing of what is written.
    pub establishment: Duration,
    /// Without a stanza, until an authenticated stream is closed.
    pub inactivity: Duration,
    /// Without a stanza, until a ping is sent.
    pub keep_alive: Duration,
}

impl Timing {
    /// How long a ping may remain unanswered: our own choice, well within any keep-alive interval.
    pub const PING_ANSWER: Duration = Duration::from_secs(60);
    /// The same where there is reason to think that the partner's server has restarted.
    pub const PROBE_ANSWER: Duration = Duration::from_secs(10);
    /// A sign of life is fresh for so long: a stream that has just opened is not probed.
    pub const FRESH: Duration = Duration::from_secs(1);
    /// How long a server that we dial may take to answer with its stream header: a host that
    /// speaks another protocol says nothing.
    pub const HEADER_ANSWER: Duration = Duration::from_secs(10);
    /// How long a server that we dial may take to say why, once it has answered with a header that is
    /// not right: its stream error comes with the header, or not at all.
    pub const AFTERTHOUGHT: Duration = Duration::from_secs(2);
    /// How long the other side may take to close a stream that never opened, or on which nothing was
    /// proven: long enough to read why, and no longer.
    pub const SHORT_GRACE: Duration = Duration::from_secs(1);
    /// How long the other side may take to close after us.
    ///
    /// RFC 6120 §4.4: wait a reasonable time for the other `</stream:stream>`.
    pub const CLOSE_GRACE: Duration = Duration::from_secs(5);

    /// How long the whole way to a partner may take, all its servers included, in which stanzas wait
    /// for it: a little less than three establishments, so that the senders hear of it within them.
    #[must_use]
    pub fn whole_way(&self) -> Duration {
        self.establishment * 29 / 10
    }

    /// How long a partner's host may acknowledge nothing. Twice what a partner may take to read: who
    /// is slow is then told so, and only who has vanished is left to the system to find out.
    ///
    /// RFC 1122 §4.2.3.5: a hundred seconds at least, which the default allows.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.establishment * 2
    }
}

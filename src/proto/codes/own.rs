//! What befalls the edge, whoever is connected.

use super::{Code, rows};

rows! {
    ACCEPT_ERROR = "accept-error", Us, Accept, [],
        "A listener could not take a connection.",
        "Raise the number of descriptors that the service may have; `detail` has the words of the \
         system.";
    NO_RANDOMNESS = "no-randomness", Us, Accept, [],
        "The system gave no random numbers for stream ids, and the connection was closed.",
        "Look at the system's log: a unit that forbids too much, or a very old kernel, may be the cause.";
    LOG_LINES_LOST = "log-lines-lost", Us, Log, [],
        "Whoever reads the log did not keep up or was away, and lines are missing.",
        "See whether the journal, or the reader of standard error, is alive; or log less.";
}

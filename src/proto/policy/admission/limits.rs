//! What `[admission]` says, and why its defaults are what they are.

/// How much those may do who have proven nothing; 0 stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Unauthenticated connections, from all addresses together.
    pub unauthenticated: usize,
    /// Unauthenticated ones from one address.
    pub unauthenticated_per_address: usize,
    /// Unauthenticated ones from one prefix: /24 of IPv4, /56 of IPv6.
    pub unauthenticated_per_prefix: usize,
    /// Unauthenticated ones that claim to be one partner, from where it has not proven itself.
    pub unauthenticated_per_domain: usize,
    /// All from one address, the authenticated included.
    pub per_address: usize,
    /// Streams that claim to be a partner and come to nothing. Each may cost a handshake.
    pub attempts: Rates,
    /// Dialback questions that come to nothing. Each may cost lookups and a connection.
    pub questions: Rates,
    /// Dialback questions that are open at the same time; those for partners at addresses from
    /// where they are known are counted apart.
    pub questions_at_once: usize,
    /// Those about one partner.
    pub questions_at_once_per_domain: usize,
    /// Bytes of a handshake, certificates included. This one is never without a limit.
    pub handshake_bytes: usize,
}

/// How often something may come to nothing in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// From one address.
    pub per_address: usize,
    /// From one prefix.
    pub per_prefix: usize,
    /// In the name of one partner, from where it has not proven itself.
    pub per_domain: usize,
}

impl AdmissionLimits {
    /// Everybody is admitted.
    pub const NONE: Self = Self {
        unauthenticated: 0,
        unauthenticated_per_address: 0,
        unauthenticated_per_prefix: 0,
        unauthenticated_per_domain: 0,
        per_address: 0,
        attempts: Rates::NONE,
        questions: Rates::NONE,
        questions_at_once: 0,
        questions_at_once_per_domain: 0,
        handshake_bytes: 32 << 10,
    };
}

impl Rates {
    /// As often as one likes.
    pub const NONE: Self = Self {
        per_address: 0,
        per_prefix: 0,
        per_domain: 0,
    };
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            // Doing their worst, all of them stay within 460 MiB (docs/security.md).
            unauthenticated: 5000,
            // More than any server opens at once.
            unauthenticated_per_address: 50,
            unauthenticated_per_prefix: 500,
            // One partner may be posed as, and leaves nine tenths for others to prove themselves.
            unauthenticated_per_domain: 500,
            per_address: 500,
            // A host of many domains may be refused for each of them once; whatever succeeds is
            // not counted. At 0.3 ms a handshake, one address may take 0.3% of a processor.
            attempts: Rates {
                per_address: 600,
                per_prefix: 3000,
                per_domain: 3000,
            },
            // One a second: a partner's key is wrong only where its set-up is.
            questions: Rates {
                per_address: 60,
                per_prefix: 300,
                per_domain: 600,
            },
            // Each takes a descriptor and some 20 KiB for as long as its server takes to answer.
            questions_at_once: 64,
            questions_at_once_per_domain: 16,
            // The longest chains in use have some 16 KiB; the TLS library alone would hold 64 KiB
            // for whoever sends a long message and never its end.
            handshake_bytes: 32 << 10,
        }
    }
}

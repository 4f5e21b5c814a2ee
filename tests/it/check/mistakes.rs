//! One mistake a row: what is changed in a sound configuration, and what is said about it.

/// Replaces `from` by `to` in the one file that has it.
pub(super) struct Mistake {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// Each problem, as `file:line:column code`.
    pub(super) want: &'static [&'static str],
}

pub(super) const fn mistake(
    from: &'static str,
    to: &'static str,
    want: &'static [&'static str],
) -> Mistake {
    Mistake { from, to, want }
}

pub(super) const FEDERATED: &str = r#"type = "federated""#;
const LISTEN: &str = r#"listen = ["127.0.0.1:23456"]"#;
const CHAIN: &str = r#"certificate-chain = "edge.pem"
private-key = "edge.key""#;
const PLAINTEXT: &str = "plaintext = true";
const DOMAINS: &str = r#"domains = ["contoso.example"]"#;
const STATE: &str = r#"state-directory = "state""#;

/// The five combinations that leave no method.
pub(super) const COMBINATIONS: &[Mistake] = &[
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"not-supported\"",
        &["partners.toml:4:7 no-method"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"not-supported\"\nsasl = \"optional\"",
        &["partners.toml:4:7 no-method"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nsasl = \"not-supported\"",
        &["partners.toml:4:8 no-method"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"optional\"\nsasl = \"not-supported\"",
        &["partners.toml:5:8 no-method"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"not-supported\"\nsasl = \"not-supported\"",
        &["partners.toml:4:7 no-method"],
    ),
];

/// The seven combinations that are weaker, or emptier, than they look.
pub(super) const DOUBTS: &[Mistake] = &[
    mistake(
        "[[partner]]",
        "[default-partner]\ntype = \"federated\"\n[[partner]]",
        &["partners.toml:1:1 open-federation"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ndialback = true",
        &["partners.toml:4:12 dialback-without-effect"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"optional\"\ndialback = true",
        &["partners.toml:4:7 clear-text-admitted"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"optional\"\nsasl = \"optional\"\ndialback = true",
        &["partners.toml:4:7 clear-text-admitted"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"optional\"",
        &["partners.toml:4:7 tls-not-optional"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"optional\"\nsasl = \"optional\"",
        &["partners.toml:4:7 tls-not-optional"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"not-supported\"\nsasl = \"required\"\ndialback = true",
        &["partners.toml:5:8 sasl-without-tls"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntls = \"not-supported\"\nsasl = \"optional\"\ndialback = true",
        &["partners.toml:5:8 sasl-without-tls"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nsasl = \"optional\"\ndialback = true\ncertificate-pins = [\"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]",
        &["partners.toml:6:20 pins-and-dialback"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ncertificate-pins-enforced = false",
        &["partners.toml:4:29 pins-without-effect"],
    ),
    mistake(
        CHAIN,
        "certificate-chain = \"short.pem\"\nprivate-key = \"short.key\"",
        &["edge.toml:5:21 certificate-not-trusted"],
    ),
    mistake(
        CHAIN,
        "certificate-chain = \"self.pem\"\nprivate-key = \"self.key\"",
        &["edge.toml:5:21 certificate-not-trusted"],
    ),
    mistake(
        CHAIN,
        "certificate-chain = \"ending.pem\"\nprivate-key = \"ending.key\"",
        &["edge.toml:5:21 certificate-expires-soon"],
    ),
    mistake(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"",
        "# nobody yet",
        &["partners.toml:1:1 no-partners"],
    ),
];

/// Mistakes of the two files' form.
pub(super) const FORM: &[Mistake] = &[
    mistake("[tls]", "[tls", &["edge.toml:4:4 syntax"]),
    mistake("[[partner]]", "[[partner", &["partners.toml:1:9 syntax"]),
    mistake(
        STATE,
        "state-directory = \"state\"\nstate-directory = \"state\"",
        &["edge.toml:3:1 duplicate-key"],
    ),
    mistake(
        "[gateway]",
        "[gatway]",
        &["edge.toml:1:1 missing-section", "edge.toml:9:2 unknown-key"],
    ),
    mistake("[tls]", "[metrics]\n[tls]", &["edge.toml:4:2 unknown-key"]),
    mistake(
        PLAINTEXT,
        "plaintext = true\n[admin]\nsokcet = \"a.sock\"",
        &["edge.toml:14:1 unknown-key"],
    ),
    mistake(
        PLAINTEXT,
        "plaintext = true\nanotate = true",
        &["edge.toml:13:1 unknown-key"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nkeep_alive = false",
        &["partners.toml:4:1 unknown-key"],
    ),
    mistake(
        "[[partner]]",
        "[default-partner]\ntype = \"public-unverified\"\nroute = []\n[[partner]]",
        &["partners.toml:3:1 unknown-key"],
    ),
    mistake(
        "[[partner]]",
        "[partner]",
        &["partners.toml:1:1 wrong-type"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ndialback = \"false\"",
        &["partners.toml:4:12 wrong-type"],
    ),
    mistake(
        DOMAINS,
        "domains = \"contoso.example\"",
        &["edge.toml:1:11 wrong-type"],
    ),
    mistake(
        LISTEN,
        "listen = [\"127.0.0.1:23456\", 23456]",
        &["edge.toml:10:30 wrong-type"],
    ),
    mistake(
        STATE,
        "state-directory = 7\ns2s = 1\nidentity = 1",
        &[
            "edge.toml:2:19 wrong-type",
            "edge.toml:3:7 wrong-type",
            "edge.toml:4:12 wrong-type",
        ],
    ),
    mistake(DOMAINS, "", &["edge.toml:1:1 missing-key"]),
    mistake(
        "primary-domain = \"fabrikam.example\"",
        "",
        &["partners.toml:1:1 missing-key"],
    ),
    mistake(FEDERATED, "", &["partners.toml:1:1 missing-key"]),
];

/// Mistakes of values.
pub(super) const VALUES: &[Mistake] = &[
    mistake(DOMAINS, "domains = []", &["edge.toml:1:11 empty-list"]),
    mistake(
        DOMAINS,
        "domains = [\"contoso.example\", \"CONTOSO.example.\"]",
        &["edge.toml:1:31 duplicate-domain"],
    ),
    mistake(
        DOMAINS,
        "domains = [\"contoso.example\", \"*.contoso.example\"]",
        &["edge.toml:1:31 bad-domain"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nlisten = [\"localhost:5269\"]\n[tls]",
        &["edge.toml:5:11 bad-address"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nlisten = []\n[tls]",
        &["edge.toml:5:10 empty-list"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nconnection-limit = 0\n[tls]",
        &["edge.toml:5:20 out-of-range"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nmax-stanza-bytes = 9999\n[tls]",
        &["edge.toml:5:20 out-of-range"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nqueue-bytes = 8388608\nmax-stanza-bytes = 300000\n[tls]",
        &["edge.toml:4:1 queue-too-small"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nconnection-limit = 99999999999999999999999\n[tls]",
        &["edge.toml:5:20 out-of-range"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nkeep-alive-interval = \"5 minutes\"\n[tls]",
        &["edge.toml:5:23 bad-duration"],
    ),
    mistake(
        "[tls]",
        "[s2s]\nstream-establishment-timeout = \"0s\"\n[tls]",
        &["edge.toml:5:32 out-of-range"],
    ),
    mistake(
        "[tls]",
        "[dns]\nnameservers = [\"192.0.2.53\", \"dns.example\"]\n[tls]",
        &["edge.toml:5:30 bad-address"],
    ),
    mistake(
        "[tls]",
        "[log]\nfilter = \"verbose\"\n[tls]",
        &["edge.toml:5:10 bad-filter"],
    ),
    mistake(
        "[tls]",
        "[log]\nfilter = \"xmpp_edge::net=loud\"\n[tls]",
        &["edge.toml:5:10 bad-filter"],
    ),
    mistake(
        "[tls]",
        "[log]\nformat = \"xml\"\n[tls]",
        &["edge.toml:5:10 unknown-value"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nsasl = \"optinal\"",
        &["partners.toml:4:8 unknown-value"],
    ),
    mistake(
        FEDERATED,
        "type = \"friend\"",
        &["partners.toml:3:8 unknown-value"],
    ),
    mistake(
        "\"fabrikam.example\"",
        "\"noc@fabrikam.example\"",
        &["partners.toml:2:18 bad-domain"],
    ),
    mistake(
        "\"fabrikam.example\"",
        "\"*.fabrikam.example\"",
        &["partners.toml:2:18 bad-domain"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nadditional-domains = [\"a.*.example\", \"x*.example\", \"*.example\"]",
        &[
            "partners.toml:4:23 bad-domain",
            "partners.toml:4:38 bad-domain",
            "partners.toml:4:52 bad-domain",
        ],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nroute = [\"xmpp.fabrikam.example\", \"xmpp.fabrikam.example:0\"]",
        &[
            "partners.toml:4:10 bad-route",
            "partners.toml:4:35 bad-route",
        ],
    ),
];

/// Settings that are each sound and do not go together.
pub(super) const TOGETHER: &[Mistake] = &[
    mistake(
        LISTEN,
        "listen = [\"127.0.0.1:23456\", \"192.0.2.1:23456\", \"[::]:23456\"]",
        &[
            "edge.toml:10:30 plaintext-not-loopback",
            "edge.toml:10:49 plaintext-not-loopback",
        ],
    ),
    mistake(
        PLAINTEXT,
        "plaintext = false",
        &["edge.toml:9:1 missing-section"],
    ),
    mistake(
        PLAINTEXT,
        "plaintext = true\n[gateway.tls]",
        &["edge.toml:12:13 plaintext-with-tls"],
    ),
    mistake(
        PLAINTEXT,
        "[gateway.tls]\ncertificate-chain = \"internal.pem\"\nprivate-key = \"internal.key\"",
        &["edge.toml:12:1 missing-key"],
    ),
    mistake(
        PLAINTEXT,
        "[gateway.tls]\ncertificate-chain = \"internal.pem\"\nprivate-key = \"internal.key\"\n\
         client-trust-anchors = \"ca.pem\"\nclient-names = [\"a b\"]",
        &["edge.toml:16:17 bad-name"],
    ),
    // A server's certificate would act as an authority, and vouch for any gateway.
    mistake(
        PLAINTEXT,
        "[gateway.tls]\ncertificate-chain = \"internal.pem\"\nprivate-key = \"internal.key\"\n\
         client-trust-anchors = \"self.pem\"",
        &["edge.toml:15:24 not-an-authority"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\n[[partner]]\nprimary-domain = \"FABRIKAM.example\"\ntype = \"federated\"",
        &["partners.toml:5:18 partner-overlap"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nadditional-domains = [\"*.fabrikam.example\"]\n[[partner]]\n\
         primary-domain = \"corp.fabrikam.example\"\ntype = \"federated\"",
        &["partners.toml:6:18 partner-overlap"],
    ),
    mistake(
        "\"fabrikam.example\"",
        "\"contoso.example\"",
        &["partners.toml:2:18 partner-is-local"],
    ),
    mistake(
        "[gateway]",
        "[[identity]]\ndomains = [\"eu.contoso.example\"]\ncertificate-chain = \"eu.pem\"\n\
         private-key = \"eu.key\"\n[gateway]",
        &["edge.toml:10:12 identity-not-local"],
    ),
    mistake(
        "[gateway]",
        "[[identity]]\ndomains = [\"contoso.example\"]\ncertificate-chain = \"eu.pem\"\n\
         private-key = \"eu.key\"\n[gateway]",
        &["edge.toml:11:21 certificate-lacks-domain"],
    ),
    mistake(
        "[gateway]",
        "[[identity]]\ndomains = [\"contoso.example\"]\ncertificate-chain = \"edge.pem\"\n\
         private-key = \"edge.key\"\n[[identity]]\ndomains = [\"contoso.example\"]\n\
         certificate-chain = \"edge.pem\"\nprivate-key = \"edge.key\"\n[gateway]",
        &["edge.toml:14:12 identity-overlap"],
    ),
];

/// Mistakes of the files that the two name.
pub(super) const FILES: &[Mistake] = &[
    mistake(
        "\"edge.pem\"",
        "\"absent.pem\"",
        &["edge.toml:5:21 unreadable-file"],
    ),
    mistake("\"edge.key\"", "\".\"", &["edge.toml:6:15 unreadable-file"]),
    // It has no end.
    mistake(
        "\"edge.pem\"",
        "\"/dev/zero\"",
        &["edge.toml:5:21 unreadable-file"],
    ),
    mistake(
        "\"edge.pem\"",
        "\"edge.key\"",
        &["edge.toml:5:21 no-certificates"],
    ),
    mistake(
        "\"edge.key\"",
        "\"edge.pem\"",
        &["edge.toml:6:15 no-private-key"],
    ),
    mistake(
        "\"edge.key\"",
        "\"eu.key\"",
        &["edge.toml:6:15 key-mismatch"],
    ),
    mistake("\"edge.pem\"", "\"cut.pem\"", &["edge.toml:5:21 bad-pem"]),
    mistake(
        "\"edge.pem\"",
        "\"garbage.pem\"",
        &["edge.toml:5:21 bad-certificate"],
    ),
    mistake(
        "\"edge.key\"",
        "\"garbage.key\"",
        &["edge.toml:6:15 unusable-key"],
    ),
    mistake(
        "\"ca.pem\"",
        "\"garbage.pem\"",
        &["edge.toml:7:17 bad-certificate"],
    ),
    mistake(
        "\"ca.pem\"",
        "\"gateway.secret\"",
        &["edge.toml:7:17 no-certificates"],
    ),
    mistake(
        CHAIN,
        "certificate-chain = \"expired.pem\"\nprivate-key = \"expired.key\"",
        &["edge.toml:5:21 certificate-expired"],
    ),
    mistake(
        CHAIN,
        "certificate-chain = \"early.pem\"\nprivate-key = \"early.key\"",
        &["edge.toml:5:21 certificate-not-yet-valid"],
    ),
    mistake(
        CHAIN,
        "certificate-chain = \"client.pem\"\nprivate-key = \"client.key\"",
        &["edge.toml:5:21 certificate-not-for-servers"],
    ),
    mistake(
        DOMAINS,
        "domains = [\"contoso.example\", \"eu.contoso.example\"]",
        &["edge.toml:5:21 certificate-lacks-domain"],
    ),
    mistake(
        "\"gateway.secret\"",
        "\"loose.secret\"",
        &["edge.toml:11:15 exposed-file"],
    ),
    mistake(
        "\"gateway.secret\"",
        "\"short.secret\"",
        &["edge.toml:11:15 secret-too-short"],
    ),
    mistake(
        "[tls]",
        "[dialback]\nsecret-file = \"absent.secret\"\n[tls]",
        &["edge.toml:5:15 unreadable-file"],
    ),
    mistake(
        STATE,
        "state-directory = \"state\"\npartners = \"absent.toml\"",
        &["edge.toml:3:12 unreadable-file"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ntrust-anchors = \"absent.pem\"",
        &["partners.toml:4:17 unreadable-file"],
    ),
];

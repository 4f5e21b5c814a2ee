//! What can be wrong with a partner's terms, and with `[access]`.

use super::mistakes::{FEDERATED, Mistake, mistake};

pub(super) const TERMS: &[Mistake] = &[
    mistake(
        FEDERATED,
        "description = \"Fabrikam\"",
        &["partners.toml:1:1 missing-key"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ndirection = \"in\"",
        &["partners.toml:4:13 unknown-value"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nconnection-limit = 0",
        &["partners.toml:4:20 out-of-range"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nminimum-tls-version = \"1.1\"",
        &["partners.toml:4:23 unknown-value"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nmax-stanza-bytes = 9999",
        &["partners.toml:4:20 out-of-range"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nstanza-rate = -1",
        &["partners.toml:4:15 out-of-range"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nkinds = []",
        &["partners.toml:4:9 empty-list"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nkinds = [\"message\", \"body\"]",
        &["partners.toml:4:21 unknown-value"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nallow-namespaces = [\"\", \"jabber:client\", \"a b\"]",
        &[
            "partners.toml:4:21 bad-namespace",
            "partners.toml:4:25 bad-namespace",
            "partners.toml:4:42 bad-namespace",
        ],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\nallow-namespaces = [\"urn:a\"]\ndeny-namespaces = [\"urn:a\"]",
        &["partners.toml:5:20 contradiction"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ncertificate-pins = [\"sha256:AAAA\", \"sha1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]",
        &["partners.toml:4:21 bad-pin", "partners.toml:4:36 bad-pin"],
    ),
    mistake(
        FEDERATED,
        "type = \"federated\"\ncertificate-pins = \"sha256:AAAA\"\ncertificate-pins-enforced = \"no\"",
        &[
            "partners.toml:4:20 wrong-type",
            "partners.toml:5:29 wrong-type",
        ],
    ),
    mistake(
        "[[partner]]",
        "[default-partner]\ntls = \"not-supported\"\n[[partner]]",
        &[
            "partners.toml:1:1 missing-key",
            "partners.toml:2:7 no-method",
        ],
    ),
    mistake(
        "[tls]",
        "[access]\ndefault = \"none\"\n[tls]",
        &["edge.toml:5:11 unknown-value"],
    ),
    mistake(
        "[tls]",
        "[access]\nexceptions = [\"contoso.example\", \"a@contoso.example/r\", \"@b\", \"a@b.example\"]\n[tls]",
        &[
            "edge.toml:5:15 bad-address",
            "edge.toml:5:34 bad-address",
            "edge.toml:5:57 bad-address",
            "edge.toml:5:63 not-local",
        ],
    ),
    mistake(
        "[tls]",
        "[s2s]\npartner-connection-limit = 0\n[tls]",
        &["edge.toml:5:28 out-of-range"],
    ),
];

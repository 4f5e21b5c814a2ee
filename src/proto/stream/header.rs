//! Stream headers: the checks that each of the three headers of a connection must pass.

use super::wire::Wire;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::xml::writer::write_header;
use crate::proto::xml::{Dialect, Header, Ns};

/// Checks what is the same for every header, in either direction (RFC 6120 §4.8).
pub(super) fn check(header: &Header, dialect: Dialect) -> Result<(), Reason> {
    // RFC 6120 §4.9.3.10: the stream namespace, and the content namespace of this port.
    if *header.ns() != Ns::STREAM || header.name() != "stream" {
        return Err(Reason::InvalidNamespace);
    }
    if header.default_namespace() != Some(dialect.content_namespace()) {
        return Err(Reason::InvalidNamespace);
    }
    Ok(())
}

/// RFC 6120 §4.7.5: the major version is 1; a header without version is of a time before TLS.
pub(super) fn check_version(header: &Header) -> Result<(), Reason> {
    let version = header
        .attribute("version")
        .and_then(|version| version.split_once('.'))
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    match version {
        Some((1, _)) => Ok(()),
        _ => Err(Reason::UnsupportedVersion),
    }
}

/// Reads a domain from `to` or `from`; `None` if the attribute is absent.
pub(super) fn domain(header: &Header, name: &'static str) -> Result<Option<Domain>, Reason> {
    header
        .attribute(name)
        .map(|text| Domain::parse(text).map_err(|_| Reason::HeaderAddress(name)))
        .transpose()
}

/// Writes our header.
pub(super) fn send(wire: &mut Wire, attributes: &[(&str, &str)]) {
    let dialect = wire.dialect();
    wire.send_with(|bytes| write_header(dialect, attributes, bytes));
    wire.mark_header_sent();
}

//! Stream headers: the checks that each of the three headers of a connection must pass.

use super::wire::Wire;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::xml::writer::write_header;
use crate::proto::xml::{Header, Ns, StreamKind};

/// Checks what is the same for every header, in either direction (RFC 6120 §4.8).
pub(super) fn check(header: &Header, stream_kind: StreamKind) -> Result<(), Reason> {
    if let Some(fault) = header.fault() {
        return Err(Reason::Xml(fault.clone()));
    }
    // RFC 6120 §4.9.3.10: the stream namespace, and the content namespace of this port.
    if *header.ns() != Ns::STREAM || header.name() != "stream" {
        return Err(Reason::InvalidNamespace);
    }
    // RFC 6120 §4.8.2: that of the port, or none yet: then each element says its own.
    let content = header
        .default_namespace()
        .filter(|ns| *ns != Ns::STREAM.as_str());
    if content.is_some_and(|ns| ns != stream_kind.content_namespace()) {
        return Err(Reason::InvalidNamespace);
    }
    Ok(())
}

/// RFC 6120 §4.7.5: we speak 1.0 to whoever speaks that or more; no version is one before TLS.
pub(super) fn check_version(header: &Header) -> Result<(), Reason> {
    let major = header
        .attribute("version")
        .and_then(|version| version.split_once('.'))
        .filter(|(major, minor)| is_number(major) && is_number(minor))
        .map(|(major, _)| major.trim_start_matches('0'));
    match major {
        // All that is left of 0 is nothing.
        Some(major) if !major.is_empty() => Ok(()),
        _ => Err(Reason::UnsupportedVersion),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a domain from `to` or `from`; `None` if the attribute is absent.
pub(super) fn domain(header: &Header, name: &'static str) -> Result<Option<Domain>, Reason> {
    header
        .attribute(name)
        .map(|text| Domain::parse(text).map_err(|_| Reason::HeaderAddress(name)))
        .transpose()
}

/// The same, where the header before this one has most likely named the same domain, which need not be read again: its
/// normal form is that form, however often it is read.
pub(super) fn domain_again(
    header: &Header,
    name: &'static str,
    before: Option<&Domain>,
) -> Result<Option<Domain>, Reason> {
    match before {
        Some(before) if header.attribute(name) == Some(before.as_str()) => Ok(Some(before.clone())),
        _ => domain(header, name),
    }
}

/// Writes our header.
pub(super) fn send(wire: &mut Wire, attributes: &[(&str, &str)]) {
    let stream_kind = wire.stream_kind();
    wire.send_with(|bytes| write_header(stream_kind, attributes, bytes));
    wire.mark_header_sent();
}

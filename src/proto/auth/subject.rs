//! The name of a subject or an issuer as text.

use std::fmt::Write as _;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Tag, Tagged as _};
use x509_cert::name::Name;

use super::identity::printable;

/// The name as RFC 4514 writes it, its last part first; fit for a log line.
pub(super) fn text(name: &Name) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            write_attribute(attribute, &mut text);
        }
    }
    printable(&text)
}

/// Each handshake has several names with the usual types and plain values. Those are written here,
/// because the library goes through all the types that it knows for each of them. It writes the rest.
fn write_attribute(attribute: &AttributeTypeAndValue, text: &mut String) {
    match (usual(&attribute.oid), plain(attribute)) {
        (Some(key), Some(value)) => {
            text.push_str(key);
            text.push('=');
            text.push_str(value);
        }
        // Writing to a text does not fail: what does is an attribute that cannot be encoded.
        _ => write!(text, "{attribute}").unwrap_or_default(),
    }
}

/// RFC 4514 §3: the short names of the types in use.
fn usual(kind: &ObjectIdentifier) -> Option<&'static str> {
    USUAL
        .iter()
        .find_map(|(known, key)| (kind == known).then_some(*key))
}

/// The value, where it is text that needs no escape (RFC 4514 §2.4) and is the same in each of the types.
fn plain(attribute: &AttributeTypeAndValue) -> Option<&str> {
    let value = &attribute.value;
    if !matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    ) {
        return None;
    }
    let text = std::str::from_utf8(value.value()).ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" .-/:()".contains(&byte);
    let has_plain_ends = !text.starts_with(' ') && !text.ends_with(' ');
    (has_plain_ends && text.bytes().all(is_plain)).then_some(text)
}

const USUAL: [(ObjectIdentifier, &str); 6] = [
    (ObjectIdentifier::new_unwrap("2.5.4.3"), "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use x509_cert::der::asn1::{Any, SetOfVec};
    use x509_cert::der::{Decode as _, Encode as _};
    use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

    use super::*;

    fn attribute() -> impl Strategy<Value = AttributeTypeAndValue> {
        let kinds = ["0.9.2342.19200300.100.1.25", "2.5.4.5", "1.2.3.4"];
        let others = kinds.map(ObjectIdentifier::new_unwrap);
        let kinds: Vec<_> = USUAL
            .map(|(kind, _)| kind)
            .into_iter()
            .chain(others)
            .collect();
        let tags = [
            Tag::Utf8String,
            Tag::PrintableString,
            Tag::Ia5String,
            Tag::TeletexString,
            Tag::OctetString,
        ];
        let value = prop_oneof![
            "[a-zA-Z0-9 .:/()-]{0,12}".prop_map(String::into_bytes),
            "\\PC{0,6}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..6),
        ];
        let parts = (
            prop::sample::select(kinds),
            prop::sample::select(tags.to_vec()),
            value,
        );
        parts.prop_map(|(oid, tag, value)| AttributeTypeAndValue {
            oid,
            value: Any::new(tag, value).unwrap(),
        })
    }

    proptest! {
        /// What is written here is what the library writes.
        #[test]
        fn a_name_reads_as_the_library_writes_it(
            parts in prop::collection::vec(prop::collection::vec(attribute(), 1..3), 0..4)
        ) {
            let parts = parts.into_iter().filter_map(|part| SetOfVec::try_from(part).ok());
            let parts: Vec<_> = parts.map(RelativeDistinguishedName::from).collect();
            let name = Name::from_der(&RdnSequence::from(parts).to_der().unwrap()).unwrap();
            prop_assert_eq!(text(&name), printable(&name.to_string()));
        }
    }
}

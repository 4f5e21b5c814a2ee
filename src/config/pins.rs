//! `certificate-pins` and `certificate-pins-enforced` of a partner.

use super::advice::Combination;
use super::problem::Problem;
use super::reader::Section;
use crate::proto::auth::pin::{Pin, Pins};
use crate::proto::policy::{Method, Methods};

/// Reads both keys, and says where they promise more than they hold.
pub(super) fn read(section: &Section<'_>, combination: &Combination) -> Pins {
    let mark = section.findings.len();
    let texts = section.texts("certificate-pins");
    let place = texts.as_ref().map(|texts| texts.place.clone());
    let hint = "write \"sha256:\" and the digest of the key, in base64 or hex; of a certificate it \
                is given by: openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform der \
                | openssl dgst -sha256 -binary | openssl base64";
    let pins = section.parse_each(texts, "bad-pin", hint, Pin::parse);
    let enforced = section.flag("certificate-pins-enforced", true);
    let pins = Pins {
        pins: pins.into_iter().map(|pin| pin.value).collect(),
        enforced: enforced.value,
    };
    if section.findings.len() > mark {
        return pins;
    }
    let methods = Methods::of(combination.tls, combination.sasl, combination.dialback);
    let by_dialback = [Method::TlsDialback, Method::TcpDialback]
        .into_iter()
        .any(|method| methods.contains(method));
    match place {
        Some(place) if !pins.pins.is_empty() && pins.enforced && by_dialback => {
            section.findings.add(Problem::warning(
                "pins-and-dialback",
                &place,
                "the pins do not protect this partner: dialback is admitted, whatever the \
                 certificate",
                "remove dialback = true, so that only a pinned certificate does; or set \
                 certificate-pins-enforced = false to say that the pins are to be watched only",
            ));
        }
        _ if pins.pins.is_empty() && !pins.enforced => {
            section.findings.add(Problem::warning(
                "pins-without-effect",
                &enforced.place,
                "certificate-pins-enforced = false has no effect: no pin is listed",
                "list the partner's keys in certificate-pins, or remove it",
            ));
        }
        _ => {}
    }
    pins
}

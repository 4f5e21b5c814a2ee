//! The small grammars of configuration values. Pure functions of a text.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::proto::policy::HostPort;

/// A whole number and a unit: `250ms`, `30s`, `5m`, `1h`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// What somebody meant who wrote a number without a unit, or the unit in another form: the text that
/// stands for it, if it lies within bounds.
pub(super) fn meant_duration(text: &str, bounds: &RangeInclusive<Duration>) -> Option<String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at_checked(digits.unwrap_or(text.len()))?;
    let fits = |text: &String| duration(text).is_some_and(|it| bounds.contains(&it));
    let unit = unit.trim().to_lowercase();
    let unit = match unit.trim_end_matches('s') {
        // Seconds are what most programs count in.
        "" => {
            let units = ["s", "ms", "m", "h"].into_iter();
            return units.map(|unit| format!("{number}{unit}")).find(fits);
        }
        "sec" | "second" => "s",
        "m" if unit == "ms" => "ms",
        "msec" | "milli" | "millisecond" => "ms",
        "m" | "min" | "minute" => "m",
        "h" | "hr" | "hour" => "h",
        "d" | "day" => {
            let hours = number.parse::<u64>().ok()?.checked_mul(24)?;
            return Some(format!("{hours}h")).filter(fits);
        }
        _ => return None,
    };
    Some(format!("{number}{unit}")).filter(fits)
}

/// An IP address and a port.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

/// The address of a name server; port 53 may be left out.
pub(super) fn nameserver(text: &str) -> Option<SocketAddr> {
    let bare = |text: &str| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53));
    address(text)
        .or_else(|| bare(text))
        .filter(|address| address.port() != 0)
}

/// A name or an IP address (IPv6 in brackets), and a port.
pub(super) fn host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => {
            let inner: std::net::Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
            inner.to_string()
        }
        None if host.contains(':') => return None,
        None => crate::proto::jid::Domain::parse(host)
            .ok()?
            .as_str()
            .to_owned(),
    };
    Some(HostPort { host, port })
}

/// The candidate that a mistyped word was most likely meant to be: one that is spelt nearly so, or the only
/// one of which the word is a part, as `domain` is of `primary-domain`.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_lowercase().replace('_', "-");
    candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
        .or_else(|| {
            let has_it = |candidate: &&&str| candidate.split('-').any(|part| part == word);
            let mut those = candidates.iter().filter(has_it);
            those.next().filter(|_| those.next().is_none()).copied()
        })
}

/// How many a text means that has a unit of bytes, as `256KiB`: numbers stand without one.
pub(super) fn bytes(text: &str) -> Option<usize> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// `a, b and c`.
pub(super) fn list_and(words: impl Iterator<Item = String>) -> String {
    list(words, "and")
}

/// `a, b or c`.
pub(super) fn list_or(words: impl Iterator<Item = String>) -> String {
    list(words, "or")
}

fn list(words: impl Iterator<Item = String>, joint: &str) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {joint} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("250ms", Some(Duration::from_millis(250))),
            ("30s", Some(Duration::from_secs(30))),
            ("5m", Some(Duration::from_secs(300))),
            ("1h", Some(Duration::from_secs(3600))),
            ("0s", Some(Duration::ZERO)),
            ("30", None),
            ("s", None),
            ("1.5s", None),
            ("-1s", None),
            ("30 s", None),
            ("1d", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
            ("", None),
        ] {
            assert_eq!(duration(text), want, "{text:?}");
        }
    }

    #[test]
    fn what_a_number_without_a_unit_was_meant_to_be() {
        let bounds = Duration::from_secs(1)..=Duration::from_secs(3600);
        for (text, want) in [
            ("60", Some("60s")),
            ("30000", Some("30000ms")),
            (" 60 s ", Some("60s")),
            ("60S", Some("60s")),
            ("5 minutes", Some("5m")),
            ("5min", Some("5m")),
            ("2000 msec", Some("2000ms")),
            ("2000MS", Some("2000ms")),
            ("1 hour", Some("1h")),
            ("1day", None),
            ("0", None),
            ("", None),
            ("-5", None),
            ("1.5s", None),
            ("soon", None),
        ] {
            assert_eq!(meant_duration(text, &bounds).as_deref(), want, "{text:?}");
        }
        let days = Duration::ZERO..=Duration::from_secs(86400);
        assert_eq!(meant_duration("1 day", &days).as_deref(), Some("24h"));
    }

    #[test]
    fn hosts_with_ports() {
        for (text, want) in [
            (
                "xmpp.fabrikam.example:5269",
                Some("xmpp.fabrikam.example:5269"),
            ),
            ("192.0.2.1:5269", Some("192.0.2.1:5269")),
            ("[2001:db8::0:1]:5269", Some("[2001:db8::1]:5269")),
            ("2001:db8::1:5269", None),
            ("xmpp.fabrikam.example", None),
            ("xmpp.fabrikam.example:0", None),
            ("xmpp.fabrikam.example:65536", None),
            (":5269", None),
            ("[::1:5269", None),
        ] {
            let got = host_port(text).map(|it| it.to_string());
            assert_eq!(got.as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn a_name_server_needs_no_port() {
        assert_eq!(nameserver("192.0.2.53"), "192.0.2.53:53".parse().ok());
        assert_eq!(nameserver("2001:db8::53"), "[2001:db8::53]:53".parse().ok());
        assert_eq!(nameserver("[::1]:5353"), "[::1]:5353".parse().ok());
        assert_eq!(nameserver("192.0.2.53:0"), None);
        assert_eq!(nameserver("dns.example"), None);
    }

    #[test]
    fn a_slip_finds_its_key() {
        let keys = ["listen", "secret-file", "plaintext", "tls", "sasl"];
        assert_eq!(nearest("secret_file", &keys), Some("secret-file"));
        assert_eq!(nearest("Lisetn", &keys), Some("listen"));
        assert_eq!(nearest("slas", &keys), Some("sasl"));
        assert_eq!(nearest("annotate", &keys), None);
        assert_eq!(nearest("secret", &keys), Some("secret-file"));
        let keys = ["primary-domain", "additional-domains", "max-stanza-bytes"];
        assert_eq!(nearest("domain", &keys), Some("primary-domain"));
        assert_eq!(nearest("Domains", &keys), Some("additional-domains"));
        let keys = ["keep-alive-interval", "reconnect-interval"];
        assert_eq!(nearest("interval", &keys), None, "which of the two?");
    }

    #[test]
    fn what_a_text_with_a_unit_of_bytes_was_meant_to_be() {
        for (text, want) in [
            ("256KiB", Some(262_144)),
            ("256 k", Some(262_144)),
            ("64MiB", Some(67_108_864)),
            ("1gib", Some(1_073_741_824)),
            ("10kB", Some(10_000)),
            ("1 MB", Some(1_000_000)),
            ("2GB", Some(2_000_000_000)),
            ("262144", Some(262_144)),
            ("99999999999999999999", None),
            ("18446744073709551615k", None),
            ("-1k", None),
            ("1.5M", None),
            ("lots", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), want, "{text}");
        }
    }
}

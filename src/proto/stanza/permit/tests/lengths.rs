//! How long a stanza may be, as it comes and as it is written.

use super::*;

#[test]
fn a_stanza_that_is_too_long_for_the_partner_goes_back() {
    let terms = |max_stanza_bytes| Terms {
        max_stanza_bytes,
        ..Terms::default()
    };
    let long = format!("<message><body>{}</body></message>", "&lt;".repeat(2000));
    let stanza = || addressed(Outbound, &long, &rules(terms(0))).unwrap();
    let exact = written(stanza().element()).len();
    for (limit, passes) in [(exact, true), (exact - 1, false)] {
        let rules = rules(terms(limit));
        let outcome = permit(stanza(), Remembered::default(), &rules, false);
        assert_eq!(outcome.is_ok(), passes, "{limit}");
        if let Err(refused) = outcome {
            let bytes = exact;
            assert_eq!(refused.reason, Reason::StanzaTooBig { bytes, limit });
            assert!(refused.answer.is_some());
        }
    }
}

/// Stanzas of nearly the longest length that become many times as long when they are written.
fn long_when_written() -> [String; 2] {
    let names = (0..180).fold(String::new(), |all, number| {
        let name = format!("{number:04}").repeat(256);
        all + &format!("<x xmlns:p='{name}'>{}</x>", "<p:a/>".repeat(40))
    });
    let quotes = format!("<x a='{}'/>", "\"".repeat(250_000));
    [names, quotes].map(|inside| format!("<message id='1'>{inside}</message>"))
}

#[test]
fn a_stanza_that_becomes_too_long_when_it_is_written_goes_back() {
    let rules = rules(Terms::default());
    let max = Terms::default().max_stanza_bytes;
    for (direction, limit) in [(Inbound, 2 * max + 65_536), (Outbound, max)] {
        for text in long_when_written() {
            assert!(text.len() <= max);
            let stanza = addressed(direction, &text, &rules).unwrap();
            let refused = permit(stanza, Remembered::default(), &rules, true).unwrap_err();
            let Reason::StanzaTooBig { bytes, limit: of } = refused.reason else {
                panic!("{:?}", refused.reason);
            };
            assert_eq!(of, limit);
            assert!(bytes > limit, "{bytes}");
            assert!(written(refused.answer.unwrap().element()).contains("policy-violation"));
        }
    }
}

/// No honest stanza is kept out, though it grows: and what passes is not longer than was said.
#[test]
fn what_passes_is_written_within_the_limit() {
    let rules = rules(Terms::default());
    let room = Terms::default().max_stanza_bytes - 200;
    let name = "n".repeat(1000);
    for inside in [
        format!("<body>{}</body>", "\"".repeat(room)),
        format!("<body>{}</body>", "&lt;".repeat(room / 4)),
        format!("<body>{}</body>", "&#13;".repeat(room / 5)),
        "<x a='&quot;&quot;\"&quot;'/>".repeat(room / 40),
        format!("<x xmlns:p='{name}'>{}</x>", "<p:a/>".repeat(8000)),
        format!(
            "<x xmlns:p='{name}'><y xmlns='u'>{}</y></x>",
            "<p:a/>".repeat(8000)
        ),
    ] {
        let text = format!("<message>{inside}</message>");
        for direction in [Inbound, Outbound] {
            let stanza = addressed(direction, &text, &rules).unwrap();
            let passed = permit(stanza, Remembered::default(), &rules, true).unwrap();
            let written = passed.write(StreamKind::Component);
            let most = Written::most(text.len()) + 1024;
            assert!(written.bytes().len() <= most, "{}", written.bytes().len());
        }
    }
}

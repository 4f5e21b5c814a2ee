//! Which characters compatibility mapping turns into separators, by an implementation of it.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::local::is_mapped_to_separator;
use super::{Jid, JidError};

const SEPARATORS: [char; 2] = ['@', '/'];

#[test]
fn the_characters_that_become_separators_are_these_and_no_others() {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let mut found = 0;
    for c in '\0'..=char::MAX {
        let becomes = nfkc
            .normalize(c.encode_utf8(&mut [0; 4]))
            .contains(SEPARATORS);
        let is_one = SEPARATORS.contains(&c);
        assert_eq!(becomes, is_one || is_mapped_to_separator(c), "{c:?}");
        found += usize::from(becomes);
    }
    assert_eq!(found, 9);
}

/// What a text becomes is what its characters become, as far as separators go: none is composed of one
/// and something else, nor taken apart with what stands beside it.
#[test]
fn no_separator_is_made_or_lost_by_what_stands_beside_it() {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let nfd = DecomposingNormalizerBorrowed::new_nfd();
    for c in '\0'..=char::MAX {
        if SEPARATORS.contains(&c) {
            continue;
        }
        let own = nfd
            .normalize(c.encode_utf8(&mut [0; 4]))
            .contains(SEPARATORS);
        assert!(!own, "{c:?}");
        for separator in SEPARATORS {
            let text = nfkc.normalize(&format!("{separator}{c}")).into_owned();
            assert!(text.starts_with(separator), "{c:?}: {text}");
        }
    }
}

#[test]
fn an_address_with_such_a_character_is_none() {
    for c in ['\u{2100}', '\u{2106}', '\u{fe6b}', '\u{ff0f}', '\u{ff20}'] {
        let text = format!("ceo{c}x@example.net");
        assert_eq!(Jid::parse(&text), Err(JidError::BadLocal), "{text}");
    }
    assert!(Jid::parse(&format!("{}@example.net", "\u{fdfa}".repeat(340))).is_ok());
}

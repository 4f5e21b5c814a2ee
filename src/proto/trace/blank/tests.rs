use proptest::prelude::*;

use super::*;
use crate::proto::auth::chain::Checker;
use crate::proto::auth::handshake;
use crate::proto::policy::Rules;
use crate::proto::stream::{Timing, Unproven};
use std::time::Duration;

fn context() -> Arc<Context> {
    let time = Duration::from_secs(60);
    Arc::new(Context {
        rules: Rules::default(),
        anchors: Arc::default(),
        checker: Checker::default(),
        dialback: crate::proto::auth::dialback_key::DialbackSecret::new(&[7; 32]).unwrap(),
        timing: Timing {
            establishment: time,
            inactivity: time,
            keep_alive: time,
        },
        unproven: Unproven::default(),
        max_stanza_bytes: 1,
        max_stanza_depth: 64,
        pairs_per_stream: 64,
        annotate: false,
    })
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' from='a.example' \
                      to='b.example' id='7' version='1.0'>";

/// What is behind a header, blanked in one piece and byte by byte.
fn blanked(text: &str) -> String {
    let whole = fed(&[HEADER.as_bytes(), text.as_bytes()].concat(), usize::MAX);
    let bytewise = fed(&[HEADER.as_bytes(), text.as_bytes()].concat(), 1);
    assert_eq!(whole, bytewise, "{text}");
    let whole = String::from_utf8(whole).unwrap();
    whole.strip_prefix(HEADER).unwrap().to_owned()
}

fn fed(bytes: &[u8], step: usize) -> Vec<u8> {
    let mut blanker = Blanker::of_theirs([1; 16], context());
    let mut out = Vec::new();
    for part in bytes.chunks(step.min(bytes.len().max(1))) {
        blanker.feed(part, &mut out);
    }
    blanker.flush(&mut out);
    out
}

#[test]
fn what_people_say_becomes_as_many_letters() {
    for (text, want) in [
        (
            "<message type='chat' id='m1'><body>h\u{e4}, you!</body></message>",
            "<message type='chat' id='m1'><body>xxxxxxxxx</body></message>",
        ),
        (
            "<message><body>a &lt; &#x41; b</body> <x xmlns='y' url='http://z'/></message>",
            "<message><body>xxxxxxxxxxxxxxx</body> <x xmlns='y' url='xxxxxxxx'/></message>",
        ),
        (
            "<iq><query xmlns='q'><item jid='a@b' type='t'><![CDATA[a]]&b]]></item></query></iq>",
            "<iq><query xmlns='q'><item jid='xxx' type='t'><![CDATA[x]]xx]]></item></query></iq>",
        ),
        (
            "<db:result from='a.example' to='b.example'> 0123abc </db:result>",
            "<db:result from='a.example' to='b.example'> xxxxxxx </db:result>",
        ),
        (
            "<auth mechanism='PLAIN'>AHVzZXIAcGFzcw==</auth><auth mechanism='EXTERNAL'>=</auth>",
            "<auth mechanism='PLAIN'>xxxxxxxxxxxxxxxx</auth><auth mechanism='EXTERNAL'>=</auth>",
        ),
        (
            // A password of one word looks like a domain.
            "<auth mechanism='LOGIN'>U0VDUkVUQk9EWQ==</auth>",
            "<auth mechanism='LOGIN'>xxxxxxxxxxxxxxxx</auth>",
        ),
        // Base64 of a.example, which is no secret.
        (
            "<response>YS5leGFtcGxl</response><response>c2VjcmV0IQ==</response>",
            "<response>YS5leGFtcGxl</response><response>xxxxxxxxxxxx</response>",
        ),
        (
            "<compress><method>zlib</method></compress><handshake>0123</handshake>",
            "<compress><method>xxxx</method></compress><handshake>xxxx</handshake>",
        ),
    ] {
        assert_eq!(blanked(text), want);
    }
}

#[test]
fn streams_are_kept_as_they_are() {
    for text in [
        "<stream:features><mechanisms xmlns='s'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>",
        "<stream:error><not-authorized xmlns='e'/><text xmlns='e'>no certificate</text></stream:error></stream:stream>",
        "<db:verify from='a.example' to='b.example' id='7' type='error'><error type='cancel'><item-not-found/></error></db:verify>",
        "<r xmlns='urn:xmpp:sm:3'/> \n<a xmlns='urn:xmpp:sm:3' h='17'/>",
    ] {
        assert_eq!(blanked(text), text);
    }
}

#[test]
fn users_become_letters_and_domains_stay() {
    let text = "<message from='anne@a.example/home' to='b.example'/><iq from='anne@a.example'/>";
    let out = blanked(text);
    assert_eq!(out.len(), text.len());
    assert!(!out.contains("anne") && !out.contains("home"), "{out}");
    let user = |out: &str, from: &str| {
        let (_, rest) = out.split_once(from).unwrap();
        rest.split('@').next().unwrap().to_owned()
    };
    assert_eq!(user(&out, "<message from='"), user(&out, "<iq from='"));
    assert!(
        out.contains("@a.example/") && out.contains(" to='b.example'"),
        "{out}"
    );
    // What is no address is refused for what it is.
    for text in [
        "<iq from='a b@@a.example'/>",
        "<iq to='@a.example'/>",
        "<iq to='a&amp;b@c'/>",
    ] {
        assert_eq!(blanked(text), text);
    }
}

#[test]
fn a_user_becomes_letters_however_the_name_is_written() {
    let names = |text: &str| {
        let out = blanked(text);
        assert_eq!(out.len(), text.len());
        let (_, from) = out.split_once('\'').unwrap();
        let is_name = |part: &&str| part.bytes().all(|byte| byte.is_ascii_lowercase());
        let parts = from.split_once('\'').unwrap().0.split(['@', '/', ';', '&']);
        let parts: Vec<_> = parts
            .filter(is_name)
            .map(|part| part[..4].to_owned())
            .collect();
        assert_eq!(parts.len(), 2, "{out}");
        parts
    };
    let plain = names("<iq from='m\u{fc}ller@a.example/it\u{2019}s &amp; x'/>");
    for written in [
        "<iq from='m&#252;ller@a.example/it&#x2019;s &#38; x'/>",
        "<iq from='&#109;\u{fc}ller&#64;a.example&#x2F;it\u{2019}s\t&amp;\nx'/>",
    ] {
        assert_eq!(names(written), plain);
    }
}

#[test]
fn faults_stay_faults() {
    for text in [
        "<message><body>&nbsp;",
        "<message><body>&#0;",
        "<message><body>]]>",
        "<message><body>\u{1}",
        "<message><body>\u{ffff}",
        "<message a='<",
    ] {
        assert_eq!(blanked(text), text);
    }
    let bad = [HEADER.as_bytes(), b"<message><body>\xc3\x28\xff"].concat();
    assert_eq!(fed(&bad, 1).len(), bad.len());
    assert!(fed(&bad, 3).windows(1).any(|byte| byte == b"\xff"));
}

#[test]
fn a_key_of_ours_is_told_from_any_other() {
    let [ours, theirs] = ["a.example", "b.example"].map(|it| Domain::parse(it).unwrap());
    let key = context().dialback.generate(&ours, &theirs, "s1");
    let element = |key: &str| {
        format!("{HEADER}<db:verify from='a.example' to='b.example' id='s1'> {key}</db:verify>")
    };
    let mut blanker = Blanker::of_theirs([1; 16], context());
    let mut out = Vec::new();
    blanker.feed(element(&key).as_bytes(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), element(OUR_KEY));
    let [found] = &blanker.take_keys()[..] else {
        panic!("one key");
    };
    assert_eq!(found.at, element(&key).find(&key).unwrap());
    assert_eq!(
        (found.receiving.as_str(), found.id.as_str()),
        ("a.example", "s1")
    );
    let other = key.replace(|c: char| c.is_ascii_digit(), "f");
    assert!(blanked(&element(&other)[HEADER.len()..]).contains(&"x".repeat(64)));
    assert_eq!(OUR_KEY.len(), key.len());
}

#[test]
fn the_digest_of_who_knows_the_secret_is_told_from_any_other() {
    let secret = || Arc::new(LinkSecret::new("secret".to_owned()));
    let element = |digest: &str| format!("{HEADER}<handshake>{digest}\n</handshake>");
    let fed = |digest: &str, id: &str, step: usize| {
        let mut blanker = Blanker::of_theirs([1; 16], context()).with_secret(secret());
        blanker.stream_has_id(id);
        let (mut out, mut found) = (Vec::new(), Vec::new());
        for part in element(digest).as_bytes().chunks(step) {
            out.clear();
            blanker.feed(part, &mut out);
            found.append(&mut blanker.take_digests());
        }
        (out, found)
    };
    let good = handshake::digest("7", "secret");
    assert_eq!(GOOD_DIGEST.len(), good.len());
    let (out, found) = fed(&good, "7", usize::MAX);
    assert_eq!(String::from_utf8(out).unwrap(), element(GOOD_DIGEST));
    let at = element(&good).find(&good).unwrap();
    let id = "7".to_owned();
    assert_eq!(found, [GoodDigest { at, id: id.clone() }]);
    // It is written down with the read that ends it.
    assert_eq!(fed(&good, "7", 1).1, [GoodDigest { at: 0, id }]);
    for (digest, id) in [
        (good.as_str(), "8"),
        (&handshake::digest("7", "other"), "7"),
        (&good.to_uppercase(), "7"),
        (&good[1..], "7"),
        ("", "7"),
    ] {
        let (out, found) = fed(digest, id, usize::MAX);
        assert_eq!(found, []);
        let blank = element(&"x".repeat(digest.len()));
        assert_eq!(String::from_utf8(out).unwrap(), blank);
    }
    // On a partner's stream nobody has such a secret.
    let kept = blanked(&element(&good)[HEADER.len()..]);
    assert!(kept.contains(&"x".repeat(40)), "{kept}");
}

proptest! {
    /// Whatever comes, as many bytes go, and it does not matter how it is cut.
    #[test]
    fn no_byte_is_lost_and_none_is_added(bytes in prop::collection::vec(piece(), 0..40), step in 1_usize..9) {
        let bytes = [HEADER.as_bytes(), &bytes.concat()].concat();
        let out = fed(&bytes, usize::MAX);
        prop_assert_eq!(out.len(), bytes.len());
        prop_assert_eq!(fed(&bytes, step), out);
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "<message ",
            "from='",
            "a@b/c",
            "&#64;",
            "'",
            "\"",
            ">",
            "</message>",
            "<db:verify ",
            "&amp;",
            "&#x",
            ";",
            "<![CDATA[",
            "]]>",
            "<!--",
            "\u{20ac}",
            "</",
            "/>",
            "<body>",
            " ",
            "=",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

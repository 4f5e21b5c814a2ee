//! What stands in braces in a script.

use xmpp_edge::proto::auth::Pair;
use xmpp_edge::proto::auth::handshake;
use xmpp_edge::proto::xml::StreamKind;

use super::super::lab;
use super::Stage;

impl Stage<'_> {
    /// Replaces what stands in braces, where its value is known.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}').expect("}");
            out.push_str(before);
            match self.value(inside) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("{{{inside}}}")),
            }
            rest = after;
        }
        out + rest
    }

    fn value(&self, inside: &str) -> Option<String> {
        let words: Vec<_> = inside.split(' ').collect();
        let known = |word: &str| {
            self.names
                .get(word)
                .cloned()
                .unwrap_or_else(|| word.to_owned())
        };
        Some(match words.as_slice() {
            ["key", receiving, originating, id] => {
                lab::dialback_key(receiving, originating, &known(id))
            }
            ["digest"] => handshake::digest(&known("id"), lab::LINK_SECRET),
            ["base64", text] => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.encode(text)
            }
            ["features", offered @ ..] => features(offered),
            ["error", condition] => format!(
                "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
            ),
            ["limit", name] => format!(
                "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <{name} xmlns='urn:xmpp-edge:limits:0'/></stream:error>"
            ),
            ["space"] => " \n\t ".to_owned(),
            ["x", count] => "x".repeat(count.parse().unwrap()),
            ["x", count, text @ ..] => text.join(" ").repeat(count.parse().unwrap()),
            ["peer-stream"] => self.peer_header(),
            ["edge-stream"] => self.edge_header(),
            ["new-id"] => "{id}".to_owned(),
            [name] => self.names.get(*name).cloned()?,
            _ => panic!("what is {{{inside}}}?"),
        })
    }

    /// A header as every well-behaved peer sends it.
    fn peer_header(&self) -> String {
        let Pair { local, remote } = &self.pair;
        match (self.stream_kind, self.inbound) {
            (StreamKind::Component, _) => header(self.stream_kind, &format!("to='{local}'")),
            (_, true) => header(
                self.stream_kind,
                &format!("from='{remote}' to='{local}' version='1.0'"),
            ),
            (_, false) => header(
                self.stream_kind,
                &format!("from='{remote}' to='{local}' id='s1' version='1.0'"),
            ),
        }
    }

    /// The header with which the edge answers or opens.
    fn edge_header(&self) -> String {
        let Pair { local, remote } = &self.pair;
        match (self.stream_kind, self.inbound) {
            (StreamKind::Component, _) => {
                header(self.stream_kind, &format!("from='{local}' id='{{id}}'"))
            }
            (_, true) => header(
                self.stream_kind,
                &format!("from='{local}' to='{remote}' id='{{id}}' version='1.0'"),
            ),
            (_, false) => header(
                self.stream_kind,
                &format!("from='{local}' to='{remote}' version='1.0'"),
            ),
        }
    }
}

fn header(stream_kind: StreamKind, attributes: &str) -> String {
    let prefixes = match stream_kind {
        StreamKind::Server => " xmlns:db='jabber:server:dialback'",
        StreamKind::Component => "",
    };
    format!(
        "<stream:stream xmlns='{}'{prefixes} xmlns:stream='http://etherx.jabber.org/streams' {attributes}>",
        stream_kind.content_namespace()
    )
}

fn features(offered: &[&str]) -> String {
    let each: String = offered
        .iter()
        .map(|name| match *name {
            "starttls" => "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            "starttls-required" => {
                "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
            }
            "external" => {
                "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
            }
            "plain-and-external" => {
                "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism><mechanism>EXTERNAL</mechanism></mechanisms>"
            }
            "no-mechanism" => "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "dialback" => "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>",
            "acks" => "<sm xmlns='urn:xmpp:sm:3'/>",
            "bidi" => "<bidi xmlns='urn:xmpp:features:bidi'/>",
            "sm" => "<sm xmlns='urn:xmpp:sm:3'><optional/></sm>",
            "limits" => {
                "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits>"
            }
            "unknown" => "<novelty xmlns='urn:example:novelty'><a><b>c</b></a></novelty>",
            other => panic!("what is the feature {other}?"),
        })
        .collect();
    format!("<stream:features>{each}</stream:features>")
}

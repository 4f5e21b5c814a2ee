//! A stanza as it leaves: written once, when it has passed every check, and held as bytes.

use std::ops::Deref;

use super::{Form, Stanza, Validated};
use crate::proto::xml::writer::write_element;
use crate::proto::xml::{Element, Ns, StreamKind};

/// A stanza that our writer has written, and what an answer to it needs: kind, addresses, type, id.
///
/// What waits is held in this form: a tree of many small elements takes many times its bytes.
#[derive(Clone, Debug)]
pub struct Written(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    /// Without content, where `bytes` has it.
    head: Stanza,
    /// What was written of a tree; a span is written.
    bytes: Box<[u8]>,
}

impl Written {
    /// How long a stanza may be when it is written, where its sender may send so many bytes. A quote
    /// takes six bytes as a reference, a namespace is declared where it is used, and addresses are
    /// written in their own form: this is more than any honest stanza needs.
    #[must_use]
    pub const fn most(max_stanza_bytes: usize) -> usize {
        max_stanza_bytes.saturating_mul(2).saturating_add(64 << 10)
    }

    /// What one takes besides its bytes and its addresses, in bytes: the head with its attributes, and its
    /// place in a queue that has grown by doubling.
    pub const OVERHEAD: usize = 1088;

    /// What is written to the other side.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0.head.form {
            Form::Span(span) => span.bytes(),
            Form::Tree(_) => &self.0.bytes,
        }
    }

    /// What the stanza takes in memory, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        let Inner { head, bytes } = &*self.0;
        let kept: usize = match &head.form {
            Form::Span(span) => span.memory(),
            Form::Tree(element) => element.attributes().map(|it| it.value().len()).sum(),
        };
        bytes.len() + head.from.as_str().len() + head.to.as_str().len() + kept + Self::OVERHEAD
    }
}

/// Its head is a stanza, for whoever asks about kind, addresses and type.
impl Deref for Written {
    type Target = Stanza;

    fn deref(&self) -> &Stanza {
        &self.0.head
    }
}

impl Validated<Stanza> {
    /// Writes the stanza for a stream of this kind.
    #[must_use]
    pub fn write(self, stream_kind: StreamKind) -> Validated<Written> {
        let Form::Tree(tree) = &self.form else {
            return Validated::assertion(Written(Box::new(Inner {
                head: self.into_inner(),
                bytes: Box::default(),
            })));
        };
        // One allocation for most: a buffer that grows is held twice for a moment.
        let mut bytes = Vec::with_capacity(tree.size_hint());
        write_element(stream_kind, tree, &mut bytes);
        let mut element = Element::new(Ns::CONTENT, self.kind.as_str());
        // The id is needed for an answer, and may be long.
        let names = ["type", "id"];
        for name in names.iter().take(1 + usize::from(self.is_answerable())) {
            if let Some(value) = tree.attribute(name) {
                element.set_attribute(*name, value);
            }
        }
        let head = Stanza {
            kind: self.kind,
            from: self.from.clone(),
            to: self.to.clone(),
            form: element.into(),
        };
        Validated::assertion(Written(Box::new(Inner {
            head,
            bytes: bytes.into(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::jid::Jid;
    use crate::proto::policy::{Direction, Reason};
    use crate::proto::stanza::{Kind, bounce, refuse};

    #[test]
    fn what_was_written_is_answered_like_the_stanza_itself() {
        let [from, to] = ["a@p.example/x", "b@c.example"].map(|it| Jid::parse(it).unwrap());
        for (kind, stanza_type) in [
            (Kind::Message, "chat"),
            (Kind::Message, "error"),
            (Kind::Iq, "get"),
            (Kind::Iq, "result"),
            (Kind::Presence, "subscribe"),
            (Kind::Presence, "unavailable"),
        ] {
            let element = Element::new(Ns::CONTENT, kind.as_str())
                .with_attribute("from", from.as_str())
                .with_attribute("to", to.as_str())
                .with_attribute("type", stanza_type)
                .with_attribute("id", "7")
                .with_child(Element::new(Ns::CONTENT, "body").with_text("hi"));
            let stanza = Stanza {
                kind,
                from: from.clone(),
                to: to.clone(),
                form: element.into(),
            };
            let written = Validated::assertion(stanza.clone()).write(StreamKind::Server);
            assert!(
                written.bytes().ends_with(b"<body>hi</body></message>") || kind != Kind::Message
            );
            assert!(written.cost() > written.bytes().len());
            let answer = |stanza: &Stanza| {
                bounce(stanza, &Reason::QueueFull).map(|answer| answer.element().clone())
            };
            assert_eq!(answer(&written), answer(&stanza));
        }
    }
    #[test]
    fn nobody_is_answered_at_many_times_the_length() {
        let [from, to] = ["a@p.example/x", "b@c.example"].map(|it| Jid::parse(it).unwrap());
        for (id, is_answered) in [
            ("9".repeat(200_000), true),
            ("\"".repeat(16_000), true),
            ("\"".repeat(200_000), false),
        ] {
            let element = Element::new(Ns::CONTENT, "iq")
                .with_attribute("type", "get")
                .with_attribute("id", id.clone());
            let stanza = Stanza::new(Kind::Iq, from.clone(), to.clone(), element);
            let answers = [
                bounce(&stanza, &Reason::QueueFull),
                refuse(&stanza, &Reason::AccessDenied, Direction::Inbound),
            ];
            for answer in answers {
                assert_eq!(answer.is_some(), is_answered, "{}", id.len());
                let Some(answer) = answer else { continue };
                let written = answer.write(StreamKind::Server);
                assert!(written.bytes().len() <= Written::most(id.len()));
            }
        }
    }

    #[test]
    fn all_that_is_kept_is_counted() {
        let [from, to] = ["a@p.example/x", "b@c.example"].map(|it| Jid::parse(it).unwrap());
        let long = "t".repeat(10_000);
        let element = Element::new(Ns::CONTENT, "message").with_attribute("type", long.clone());
        let stanza = Stanza::new(Kind::Message, from, to, element);
        let written = Validated::assertion(stanza).write(StreamKind::Server);
        assert!(written.cost() >= 2 * long.len());
    }
}

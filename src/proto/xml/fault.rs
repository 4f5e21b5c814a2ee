//! What is wrong with received XML: one variant for each misdeed that can be told apart.

use std::fmt;

use super::Condition;
use crate::proto::codes::Code;

/// Why a stream's XML was refused. Unrecoverable: the stream is closed with [`Fault::condition`].
///
/// `Display` is for the operator; whatever it quotes from the peer is escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes that are not UTF-8.
    #[error("the bytes are not valid UTF-8")]
    InvalidUtf8,
    /// The document begins as UTF-16 does.
    #[error("the stream is encoded in UTF-16")]
    Utf16,
    /// The XML declaration names an encoding other than UTF-8.
    #[error("the XML declaration names the encoding {0}")]
    UnsupportedEncoding(Excerpt),
    /// The document begins with a byte order mark.
    #[error("the stream begins with a byte order mark")]
    ByteOrderMark,

    /// A comment.
    #[error("a comment")]
    Comment,
    /// A processing instruction.
    #[error("a processing instruction")]
    ProcessingInstruction,
    /// A document type declaration.
    #[error("a document type declaration")]
    DocumentType,
    /// A reference to an entity that is not predefined.
    #[error("a reference to the entity {0}")]
    Entity(Excerpt),

    /// An XML declaration anywhere but at the very start.
    #[error("an XML declaration that is not at the very start of the stream")]
    MisplacedDeclaration,
    /// An XML declaration that does not follow the grammar.
    #[error("a malformed XML declaration")]
    MalformedDeclaration,
    /// A version of XML other than 1.0.
    #[error("the XML declaration names the version {0}")]
    XmlVersion(Excerpt),
    /// `<!` that begins nothing XML knows.
    #[error("unknown markup after \"<!\"")]
    UnknownMarkup,
    /// The first record of TLS, where a stream header must stand.
    #[error("TLS where a stream header must stand: STARTTLS is expected here, not direct TLS")]
    TlsHello,
    /// A request or a response of HTTP, where a stream header must stand.
    #[error("HTTP where a stream header must stand")]
    HttpRequest,
    /// The first line of SSH, where a stream header must stand.
    #[error("SSH where a stream header must stand")]
    SshHello,
    /// Text before the stream header.
    #[error("text before the stream header")]
    TextBeforeHeader,
    /// Text between two top-level elements.
    #[error("text between two top-level elements")]
    TextBetweenElements,
    /// A closing tag before the stream header.
    #[error("a closing tag before the stream header")]
    CloseBeforeHeader,
    /// The closing tag of the stream does not have the name of its header.
    #[error("the stream is closed by {0}, which is not how it was opened")]
    CloseMismatch(Excerpt),
    /// Something other than whitespace after the stream was closed.
    #[error("data after the end of the stream")]
    DataAfterClose,
    /// The input ended before the stream was closed.
    #[error("the input ended inside the stream")]
    Truncated,

    /// A character that XML forbids, raw.
    #[error("the forbidden character U+{0:04X}")]
    ForbiddenCharacter(u32),
    /// A character reference that is malformed, or names a character that XML forbids.
    #[error("the bad character reference {0}")]
    CharacterReference(Excerpt),
    /// `&` that begins no reference.
    #[error("an \"&\" that begins no reference")]
    LoneAmpersand,
    /// `]]>` in text.
    #[error("\"]]>\" in text")]
    SectionEndInText,
    /// `<` in an attribute value.
    #[error("\"<\" in an attribute value")]
    LessThanInAttribute,
    /// Two attributes without whitespace between them.
    #[error("no whitespace before an attribute")]
    AttributesNotSeparated,
    /// An attribute given twice, by its written or by its expanded name.
    #[error("the attribute {0} is given twice")]
    DuplicateAttribute(Excerpt),
    /// Something that is not a name where a name must stand.
    #[error("{0} is not a name")]
    BadName(Excerpt),
    /// A name that the fifth edition of XML 1.0 admits and parsers of the fourth refuse.
    #[error("{0} is a name that not every parser takes for one")]
    UnportableName(Excerpt),
    /// A character reference with so many zeros that not every parser takes it.
    #[error("the character reference {0} has more digits than any character needs")]
    UnportableReference(Excerpt),
    /// An end tag that does not match its start tag.
    #[error("mismatched end tag")]
    EndTagMismatch,
    /// Any other violation of the grammar.
    #[error("malformed markup: {0}")]
    Syntax(Excerpt),

    /// A prefix that no declaration in scope binds.
    #[error("the prefix {0} is not declared")]
    UnboundPrefix(Excerpt),
    /// A prefix bound to no namespace.
    #[error("the prefix {0} is bound to the empty name")]
    EmptyPrefixBinding(Excerpt),
    /// The `xml` or `xmlns` prefix, or a namespace of theirs, in a way that is reserved.
    #[error("misuse of the reserved prefix or namespace {0}")]
    ReservedNamespace(Excerpt),

    /// A second stream header, or an element of the stream namespace, inside the stream.
    #[error("the element {0} of the stream namespace inside the stream")]
    NestedStream(Excerpt),
    /// A prefix on an element of the content namespace.
    #[error("the content element {0} has a prefix")]
    PrefixedContent(Excerpt),
    /// A top-level element of another content namespace than this stream's.
    #[error("a top-level element of the content namespace {0}")]
    WrongContentNamespace(Excerpt),

    /// The stream header or the XML declaration is longer than this many bytes.
    #[error("the stream header is longer than {0} bytes")]
    HeaderTooBig(usize),
    /// A top-level element is longer than this many bytes.
    #[error("a stanza is longer than {0} bytes")]
    ElementTooBig(usize),
    /// Elements are nested deeper than this many levels.
    #[error("elements are nested deeper than {0} levels")]
    TooDeep(usize),
    /// A top-level element contains more than this many elements.
    #[error("a stanza has more than {0} elements")]
    TooManyElements(usize),
    /// An element has more than this many attributes.
    #[error("an element has more than {0} attributes")]
    TooManyAttributes(usize),
    /// A name is longer than this many bytes.
    #[error("a name is longer than {0} bytes")]
    NameTooLong(usize),
    /// More than this many namespace bindings are in scope.
    #[error("more than {0} namespace bindings are in scope")]
    TooManyBindings(usize),
    /// The name of a namespace is longer than this many bytes.
    #[error("the name of a namespace is longer than {0} bytes")]
    NamespaceTooLong(usize),
    /// More than this many bytes of whitespace came between two elements.
    #[error("more than {0} bytes of whitespace between two elements")]
    TooMuchWhitespace(usize),
}

impl Fault {
    /// The condition of the stream error that answers it.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self {
            // RFC 6120 §4.9.3.22 names violations of UTF-8 as well as other encodings.
            Self::InvalidUtf8 | Self::Utf16 | Self::UnsupportedEncoding(_) => {
                Condition::UnsupportedEncoding
            }
            // RFC 6120 §11.1.
            Self::Comment
            | Self::ProcessingInstruction
            | Self::DocumentType
            | Self::Entity(_) => Condition::RestrictedXml,
            // RFC 6120 §11.3: neither kind of well-formedness may be missing. An unbound prefix
            // violates the second kind; §4.9.3.2 is about prefixes that are bound, but not wanted.
            // RFC 6120 §11.6: a byte order mark is a character, so it is text before the root.
            Self::ByteOrderMark
            | Self::MisplacedDeclaration
            | Self::MalformedDeclaration
            | Self::UnknownMarkup
            | Self::TlsHello
            | Self::HttpRequest
            | Self::SshHello
            | Self::TextBeforeHeader
            | Self::CloseBeforeHeader
            | Self::CloseMismatch(_)
            | Self::DataAfterClose
            | Self::Truncated
            | Self::ForbiddenCharacter(_)
            | Self::CharacterReference(_)
            | Self::LoneAmpersand
            | Self::SectionEndInText
            | Self::LessThanInAttribute
            | Self::AttributesNotSeparated
            | Self::DuplicateAttribute(_)
            | Self::BadName(_)
            | Self::EndTagMismatch
            | Self::Syntax(_)
            | Self::UnboundPrefix(_)
            | Self::EmptyPrefixBinding(_)
            | Self::ReservedNamespace(_)
            // RFC 6120 §11.8: XMPP is defined for XML 1.0 only.
            | Self::XmlVersion(_) => Condition::NotWellFormed,
            // Well-formed, but nothing a stream has: no more specific condition exists.
            Self::TextBetweenElements | Self::NestedStream(_) => Condition::BadFormat,
            // RFC 6120 §4.8.5.
            Self::PrefixedContent(_) => Condition::BadNamespacePrefix,
            // RFC 6120 §4.8.3.
            Self::WrongContentNamespace(_) => Condition::InvalidNamespace,
            // RFC 6120 §4.9.3.14: nothing is wrong with these but what they would do to others.
            Self::UnportableName(_)
            | Self::UnportableReference(_)
            | Self::HeaderTooBig(_)
            | Self::ElementTooBig(_)
            | Self::TooDeep(_)
            | Self::TooManyElements(_)
            | Self::TooManyAttributes(_)
            | Self::NameTooLong(_)
            | Self::TooManyBindings(_)
            | Self::NamespaceTooLong(_)
            | Self::TooMuchWhitespace(_) => Condition::PolicyViolation,
        }
    }

    /// Its label: the limit that was reached, the other protocol that the peer speaks, or the
    /// condition.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::HeaderTooBig(_) => Code::HEADER_TOO_BIG,
            Self::ElementTooBig(_) => Code::STANZA_TOO_BIG,
            Self::TooDeep(_) => Code::TOO_DEEP,
            Self::TooManyElements(_) => Code::TOO_MANY_ELEMENTS,
            Self::TooManyAttributes(_) => Code::TOO_MANY_ATTRIBUTES,
            Self::NameTooLong(_) => Code::NAME_TOO_LONG,
            Self::TooManyBindings(_) => Code::TOO_MANY_NAMESPACES,
            Self::NamespaceTooLong(_) => Code::NAMESPACE_TOO_LONG,
            Self::TooMuchWhitespace(_) => Code::TOO_MUCH_WHITE_SPACE,
            Self::TlsHello => Code::TLS_HELLO,
            Self::HttpRequest => Code::HTTP_REQUEST,
            Self::SshHello => Code::SSH_HELLO,
            _ => match self.condition() {
                Condition::UnsupportedEncoding => Code::UNSUPPORTED_ENCODING,
                Condition::RestrictedXml => Code::RESTRICTED_XML,
                Condition::BadFormat => Code::BAD_FORMAT,
                Condition::BadNamespacePrefix => Code::BAD_NAMESPACE_PREFIX,
                Condition::InvalidNamespace => Code::INVALID_NAMESPACE,
                Condition::PolicyViolation => Code::POLICY_VIOLATION,
                _ => Code::NOT_WELL_FORMED,
            },
        }
    }
}

/// A piece of what the peer sent, made safe to show: escaped, quoted and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

/// Characters of the peer's that an excerpt shows.
const SHOWN: usize = 48;

impl From<&str> for Excerpt {
    fn from(text: &str) -> Self {
        Self::cut(text, SHOWN)
    }
}

impl Excerpt {
    /// An excerpt of a text that the caller has cut.
    pub(super) fn longer(text: &str) -> Self {
        Self::cut(text, text.len())
    }

    fn cut(text: &str, length: usize) -> Self {
        let shown: String = text
            .chars()
            .take(length)
            .flat_map(char::escape_default)
            .collect();
        let rest = if text.chars().nth(length).is_some() {
            "…"
        } else {
            ""
        };
        Self(format!("\"{shown}{rest}\"").into())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::proto::codes::Mark;

    #[test]
    fn what_the_peer_sent_is_escaped_and_cut() {
        let fault = Fault::UnboundPrefix("a\u{1b}[2J\r\n\u{202e}\"".into());
        assert_eq!(
            fault.to_string(),
            "the prefix \"a\\u{1b}[2J\\r\\n\\u{202e}\\\"\" is not declared"
        );
        let long = Fault::BadName("x".repeat(10_000).as_str().into()).to_string();
        assert!(long.len() < 100 && long.contains('…'), "{long}");
    }

    #[test]
    fn each_limit_has_a_name_and_one_condition() {
        let limits = [
            Fault::HeaderTooBig(1),
            Fault::ElementTooBig(1),
            Fault::TooDeep(1),
            Fault::TooManyElements(1),
            Fault::TooManyAttributes(1),
            Fault::NameTooLong(1),
            Fault::TooManyBindings(1),
            Fault::NamespaceTooLong(1),
            Fault::TooMuchWhitespace(1),
        ];
        let names: HashSet<_> = limits.iter().map(Fault::code).collect();
        assert_eq!(names.len(), limits.len());
        for limit in limits {
            assert_eq!(limit.condition(), Condition::PolicyViolation);
            assert!(limit.code().has(Mark::Limit), "{limit}");
        }
        assert!(!Fault::Comment.code().has(Mark::Limit));
    }
}

//! The decision log: every decision the edge makes is one line, with an id and stable field names.
//!
//! ```text
//! Line::new(Event::StreamRefused).claimed(from).peer_address(address).reason(Code::UNKNOWN_PARTNER).log()
//! 2026-01-31T09:00:00.000000Z INFO  stream refused event=stream-refused claimed=evil.example …
//! ```

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use tracing::Level;

use super::peer_text::{Peer, write_clean};
use super::text::write_field;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::Method;
use crate::proto::stanza::Users;

pub use crate::proto::policy::Direction;

/// The target of every decision, to filter by.
pub const TARGET: &str = "xmpp_edge::decision";

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $variant:ident, $id:literal, $level:ident, $description:literal;)+) => {
        /// What happened. The ids are a contract: searches and alerts are written against them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Event {
            /// Every event, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable name: the field `event`.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// How loud it is.
            #[must_use]
            pub fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)+ }
            }

            /// The first words of the line.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)+ }
            }

            /// What it means to the operator.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

events! {
    /// The configuration is good and every listener is open.
    Started, "started", INFO, "edge started";
    /// A reload was asked for and is in force; `detail` is the difference.
    ReloadDone, "reload-done", INFO, "configuration reloaded";
    /// A reload was asked for and refused; nothing has changed. The errors stand before it.
    ReloadFailed, "reload-failed", ERROR, "configuration not reloaded";
    /// The configuration is refused, or something that it needs cannot be had; the edge ends, and its exit status says whether another start may go better.
    StartFailed, "start-failed", ERROR, "edge not started";
    /// An error in the configuration, with its place and what to do. At a reload nothing changes, at a start nothing begins.
    ConfigurationError, "configuration-error", ERROR, "error in the configuration";
    /// The configuration is used, and may not do what it looks like; told at the start and at each reload.
    ConfigurationWarning, "configuration-warning", WARN, "warning about the configuration";
    /// A listen address is not one of this host yet; it is listened on, and takes connections when it comes.
    AddressAwaited, "address-awaited", WARN, "listening on an address that is not there yet";
    /// A signal to stop came: no new connections, live streams are being closed.
    Stopping, "stopping", INFO, "edge is stopping";
    /// All stanzas are delivered, bounced or dropped; `detail` is the ledger. Where the time was up or a second signal came, it says whose goodbyes were not waited for.
    Drained, "drained", INFO, "edge stopped";
    /// The time to stop was up, or a second signal came, while stanzas waited. They count as dropped; `detail` is the ledger, and says of how many partners they were.
    DrainCutShort, "drain-cut-short", WARN, "edge stopped before all was delivered";
    /// The file of contacts was damaged: it is kept under the name in `detail`, and the contacts begin empty.
    ContactsSetAside, "contacts-set-aside", ERROR, "damaged contacts set aside";
    /// The admin socket, or the HTTP listener of `[admin]`, cannot be opened: nobody can ask the running edge there; all else works.
    AdminUnserved, "admin-unserved", WARN, "nobody can ask the edge";
    /// Somebody on this host watches the streams of a partner (`remote`), or of a gateway (`local`), without bodies and secrets, for the time in `detail`.
    TraceBegun, "trace-begun", WARN, "trace begun";
    /// Nobody watches them any more; `detail` says how much was seen.
    TraceEnded, "trace-ended", INFO, "trace ended";
    /// Message bodies are being logged (`message-bodies = true`).
    BodiesLogged, "bodies-logged", WARN, "message bodies are being logged";
    /// Lines about refused stanzas name the users (`addresses = true`): `from` and `to`.
    AddressesLogged, "addresses-logged", WARN, "addresses of users are being logged";
    /// A message passes, and `message-bodies = true`: `detail` has sender, addressee and the beginning of the body.
    MessageBody, "message-body", INFO, "message";
    /// A contact that a local user added or removed could not be kept: the disk failed (`contact-not-kept`), or the user has too many (`too-many-contacts`).
    ContactNotKept, "contact-not-kept", ERROR, "contact not kept";
    /// Whoever reads the log did not keep up or was away; `detail` says how many lines are missing here.
    LogLinesLost, "log-lines-lost", WARN, "lines of the log were lost";
    /// A fault of the edge, after which it ends; `detail` says where it is: please report it.
    Panicked, "panicked", ERROR, "the edge panicked";
    /// A listener could not take a connection; it goes on after a pause.
    AcceptError, "accept-error", WARN, "connection not accepted";
    /// A connection was turned away by the caps for the unauthenticated.
    AdmissionRefused, "admission-refused", INFO, "connection refused";
    /// A stream was opened towards or by a partner, and has proven nothing yet.
    StreamOpened, "stream-opened", DEBUG, "stream opened";
    /// A pair of domains was proven on a stream.
    StreamAuthenticated, "stream-authenticated", INFO, "stream authenticated";
    /// A stream was ended before it had proven anything, by policy or by a fault.
    StreamRefused, "stream-refused", INFO, "stream refused";
    /// A stream that was authenticated has ended.
    StreamClosed, "stream-closed", INFO, "stream closed";
    /// A partner's certificate was judged and found bad; it rules out SASL EXTERNAL. Where a stream of ours ends for it, `dial-failed` says so instead.
    CertificateRejected, "certificate-rejected", WARN, "certificate rejected";
    /// A partner showed a good certificate of an issuer that was not seen before: ask the partner, by another way than XMPP, whether it has changed its authority.
    CertificateIssuerChanged, "certificate-issuer-changed", WARN, "certificate of another issuer";
    /// A partner showed a good certificate with a key that was not seen before: a renewal, most likely.
    CertificateKeyChanged, "certificate-key-changed", INFO, "certificate with another key";
    /// A partner showed a good certificate with none of its pins; `certificate-pins-enforced = false` lets it pass.
    CertificateNotPinned, "certificate-not-pinned", WARN, "certificate not pinned";
    /// A method of proof was refused or failed; the stream may go on by another.
    MethodFailed, "method-failed", INFO, "method not used";
    /// Something came that nobody asked for; it changed nothing.
    InputIgnored, "input-ignored", DEBUG, "input ignored";
    /// We were asked, as authoritative server, whether a dialback key is ours.
    DialbackAnswered, "dialback-answered", DEBUG, "dialback key verified for a peer";
    /// One step on the way to a partner failed; other targets may follow. Other lines about it have its `reason` and its `stream`, and not its words.
    DialFailed, "dial-failed", WARN, "partner not reached";
    /// A gateway has a link for a local domain. If it is not the first, `detail` says how many there are now; each gets its share of the conversations.
    LinkUp, "link-up", INFO, "gateway connected";
    /// A gateway's link has ended; `detail` says why, how many stanzas were being written and are bounced for it, how many of those before may be lost, and how many links are left for the domain.
    LinkDown, "link-down", WARN, "gateway disconnected";
    /// A stanza waits for a domain's gateway, and none is connected; told once, until one comes. What waits is bounced after `reconnect-grace`.
    GatewayAwaited, "gateway-awaited", WARN, "stanzas wait for a gateway";
    /// A gateway has come for which stanzas waited; `detail` says how many it gets, and how many had waited for too long and were bounced or dropped.
    GatewayBack, "gateway-back", INFO, "gateway gets what waited";
    /// A gateway was refused a link.
    LinkRefused, "link-refused", WARN, "gateway refused";
    /// A stanza could not be carried, and its sender was told.
    StanzaBounced, "stanza-bounced", INFO, "stanza bounced";
    /// A stanza could not be carried, and its kind may not be answered.
    StanzaDropped, "stanza-dropped", INFO, "stanza dropped";
}

/// One line of the decision log: an event and what is known about it.
///
/// Every text is made clean as by [`Peer`], so text from outside may be handed over as it came.
#[derive(Clone, Debug)]
#[must_use = "a line is written by `log`"]
pub struct Line {
    event: Event,
    direction: Option<&'static str>,
    stream: Option<u64>,
    partner: Option<String>,
    local: Option<String>,
    remote: Option<String>,
    from: Option<String>,
    to: Option<String>,
    claimed: Option<String>,
    method: Option<&'static str>,
    tls: Option<String>,
    peer_address: Option<String>,
    reason: Option<&'static str>,
    side: Option<&'static str>,
    detail: Option<String>,
    remedy: Option<&'static str>,
}

impl Line {
    /// A line with nothing but the event.
    pub fn new(event: Event) -> Self {
        Self {
            event,
            direction: None,
            stream: None,
            partner: None,
            local: None,
            remote: None,
            from: None,
            to: None,
            claimed: None,
            method: None,
            tls: None,
            peer_address: None,
            reason: None,
            side: None,
            detail: None,
            remedy: None,
        }
    }

    /// What it tells of.
    #[must_use]
    pub fn event(&self) -> Event {
        self.event
    }

    /// Which way stanzas go on the stream.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction.as_str());
        self
    }

    /// The number of the stream in this process: the same in all lines about one stream.
    pub fn stream(mut self, stream: u64) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The configured partner, by its primary domain.
    pub fn partner(mut self, primary: &Domain) -> Self {
        self.partner = Some(clean(primary.as_str()));
        self
    }

    /// Our side of the pair.
    pub fn local(mut self, domain: &Domain) -> Self {
        self.local = Some(clean(domain.as_str()));
        self
    }

    /// The other side of the pair.
    pub fn remote(mut self, domain: &Domain) -> Self {
        self.remote = Some(clean(domain.as_str()));
        self
    }

    /// The users of a stanza, as far as they are known.
    pub fn users(mut self, users: &Users) -> Self {
        self.from = users.from.as_deref().map(clean);
        self.to = users.to.as_deref().map(clean);
        self
    }

    /// What the other side says it is, where nothing confirms it.
    pub fn claimed(mut self, text: &str) -> Self {
        self.claimed = Some(clean(text));
        self
    }

    /// How the pair was proven.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method.as_str());
        self
    }

    /// The TLS version, or `none`.
    pub fn tls(mut self, version: &str) -> Self {
        self.tls = Some(clean(version));
        self
    }

    /// The address at the other end of the connection.
    pub fn peer_address(mut self, address: SocketAddr) -> Self {
        self.peer_address = Some(address.to_string());
        self
    }

    /// The code of the reason: the same word as in the counters.
    pub fn reason(mut self, code: Code) -> Self {
        self.reason = Some(code.as_str());
        self
    }

    /// Whose fault it is and what to do, by the row of the cause; nothing where nothing is to be
    /// done.
    pub fn explained(mut self, cause: Code) -> Self {
        if !cause.remedy().starts_with("Nothing") {
            self.side = Some(cause.side().as_str());
            self.remedy = Some(cause.remedy());
        }
        self
    }

    /// The code of a problem in the configuration, in the place of the reason: its own text says
    /// where it is and what to do.
    pub fn problem(mut self, code: &'static str) -> Self {
        self.reason = Some(code);
        self
    }

    /// Anything more, in words; at most 1000 bytes are shown.
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        let mut text = String::new();
        // Writing to a String does not fail.
        if write_clean(&mut text, &detail.to_string(), DETAIL_LIMIT).is_ok() {
            self.detail = Some(text);
        }
        self
    }

    /// The detail, and how many lines like this one were left out before it.
    pub fn and_more(self, detail: impl fmt::Display, left_out: u64) -> Self {
        match left_out {
            0 => self.detail(detail),
            more => self.detail(format_args!("{detail} (and {more} more like it)")),
        }
    }

    /// How many lines like this one were left out before it, where another line has the words.
    pub fn and_left_out(self, left_out: u64) -> Self {
        match left_out {
            0 => self,
            more => self.detail(format_args!("and {more} more like it")),
        }
    }

    /// The whole line in words: description, then each field that is set.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.event.description().to_owned();
        for (name, value) in self.fields() {
            write_field(&mut message, name, &value);
        }
        message
    }

    /// How loud the line is.
    pub(super) fn level(&self) -> Level {
        self.event.level()
    }

    /// The fields that are set, in their order.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let stream = self.stream.map(|stream| Cow::Owned(stream.to_string()));
        [
            ("event", Some(self.event.id().into())),
            ("direction", self.direction.map(Cow::Borrowed)),
            ("stream", stream),
            ("partner", self.partner.as_deref().map(Cow::Borrowed)),
            ("local", self.local.as_deref().map(Cow::Borrowed)),
            ("remote", self.remote.as_deref().map(Cow::Borrowed)),
            ("from", self.from.as_deref().map(Cow::Borrowed)),
            ("to", self.to.as_deref().map(Cow::Borrowed)),
            ("claimed", self.claimed.as_deref().map(Cow::Borrowed)),
            ("method", self.method.map(Cow::Borrowed)),
            ("tls", self.tls.as_deref().map(Cow::Borrowed)),
            (
                "peer_address",
                self.peer_address.as_deref().map(Cow::Borrowed),
            ),
            ("reason", self.reason.map(Cow::Borrowed)),
            ("side", self.side.map(Cow::Borrowed)),
            ("detail", self.detail.as_deref().map(Cow::Borrowed)),
            ("remedy", self.remedy.map(Cow::Borrowed)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// What it is about, in words that are the same in all lines of the event.
    pub(super) fn description(&self) -> &'static str {
        self.event.description()
    }

    /// Writes the line: the description and the fields, which each form of the log puts together.
    pub fn log(&self) {
        macro_rules! at {
            ($level:ident) => {
                if tracing::enabled!(target: TARGET, Level::$level) {
                    tracing::event!(
                        target: TARGET,
                        Level::$level,
                        event = self.event.id(),
                        direction = self.direction,
                        stream = self.stream,
                        partner = self.partner,
                        local = self.local,
                        remote = self.remote,
                        from = self.from,
                        to = self.to,
                        claimed = self.claimed,
                        method = self.method,
                        tls = self.tls,
                        peer_address = self.peer_address,
                        reason = self.reason,
                        side = self.side,
                        detail = self.detail,
                        remedy = self.remedy,
                        "{}",
                        self.event.description(),
                    );
                }
            };
        }
        match self.event.level() {
            Level::ERROR => at!(ERROR),
            Level::WARN => at!(WARN),
            Level::INFO => at!(INFO),
            Level::DEBUG => at!(DEBUG),
            Level::TRACE => at!(TRACE),
        }
    }
}

fn clean(text: impl fmt::Display) -> String {
    Peer(&text.to_string()).to_string()
}

/// How many bytes of a detail are shown: the difference a reload makes is longer than a name.
const DETAIL_LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_in_kebab_case() {
        let mut seen = HashSet::new();
        for event in Event::ALL {
            let id = event.id();
            assert!(seen.insert(id), "{id} twice");
            assert!(
                id.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{id}"
            );
            assert!(event.explanation().ends_with('.'), "{id}");
            assert!(!event.description().ends_with('.'), "{id}");
        }
    }

    #[test]
    fn a_line_says_all_it_knows_in_a_fixed_order() {
        let line = Line::new(Event::StreamAuthenticated)
            .peer_address("[2001:db8::1]:50000".parse().unwrap())
            .tls("TLSv1.3")
            .method(Method::SaslExternal)
            .remote(&Domain::parse("chat.fabrikam.com").unwrap())
            .local(&Domain::parse("contoso.com").unwrap())
            .partner(&Domain::parse("fabrikam.com").unwrap())
            .stream(7)
            .direction(Direction::Inbound);
        assert_eq!(
            line.message(),
            "stream authenticated event=stream-authenticated direction=inbound stream=7 \
             partner=fabrikam.com local=contoso.com remote=chat.fabrikam.com method=sasl-external \
             tls=TLSv1.3 peer_address=[2001:db8::1]:50000"
        );
    }

    #[test]
    fn a_line_says_whose_fault_it_is_and_what_to_do_where_something_is_to_be_done() {
        let line = |code| Line::new(Event::DialFailed).reason(code).explained(code);
        let code = Code::CONNECTION_REFUSED;
        assert_eq!(
            line(code).message(),
            format!(
                "partner not reached event=dial-failed reason=connection-refused side=peer \
                 remedy=\"{}\"",
                code.remedy()
            )
        );
        assert_eq!(
            line(Code::IDLE).message(),
            "partner not reached event=dial-failed reason=idle"
        );
    }

    #[test]
    fn text_from_outside_cannot_pose_as_a_field() {
        let line = Line::new(Event::StreamRefused).claimed("x\" reason=none\n");
        assert_eq!(
            line.message(),
            "stream refused event=stream-refused claimed=\"x\\\" reason=none\\u{a}\""
        );
    }
}

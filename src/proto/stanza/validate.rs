//! From an element to an [`Addressed`] stanza: addresses against what was proven, then form.

use std::ops::Deref;

use super::{Form, Kind, Stanza, Users, Validated, bounce};
use crate::proto::auth::identity::printable;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::jid::{Domain, Jid};
use crate::proto::policy::{Decision, Direction, Facts, Method, Reason, Rules, evaluate};
use crate::proto::xml::{Excess, Fault, Ns};

/// A well-formed stanza whose sender is who it says: [`permit`](super::permit()) decides whether it
/// passes, and nothing else can be done with it.
#[derive(Clone, Debug)]
pub struct Addressed {
    stanza: Stanza,
    direction: Direction,
    method: Option<Method>,
    pair: usize,
}

impl Addressed {
    /// Which way it goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// To which pair of its stream it belongs, in the order in which these were proven; 0 for a
    /// gateway's stanza.
    #[must_use]
    pub fn pair(&self) -> usize {
        self.pair
    }

    /// How the partner has proven itself; `None` for a gateway's stanza.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// The address on this side.
    #[must_use]
    pub fn local(&self) -> &Jid {
        match self.direction {
            Direction::Inbound => &self.stanza.to,
            Direction::Outbound => &self.stanza.from,
        }
    }

    /// The address on the partner's side.
    #[must_use]
    pub fn remote(&self) -> &Jid {
        match self.direction {
            Direction::Inbound => &self.stanza.from,
            Direction::Outbound => &self.stanza.to,
        }
    }

    pub(super) fn into_stanza(self) -> Stanza {
        self.stanza
    }
}

impl Deref for Addressed {
    type Target = Stanza;

    fn deref(&self) -> &Stanza {
        &self.stanza
    }
}

/// Why an element is not relayed, and what is to be done about it.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The stream ends: the sender breaks its rules.
    Stream(Reason),
    /// The stream goes on; the sender is answered, where it may be.
    Stanza {
        /// Why.
        reason: Reason,
        /// Between whom, as far as the stanza says so.
        pair: Option<Box<Pair>>,
        /// Between which users, likewise.
        users: Box<Users>,
        /// The answer, if this kind of stanza may be answered.
        answer: Option<Box<Validated<Stanza>>>,
    },
}

/// Checks a stanza from a partner against the pairs its stream has proven.
///
/// # Errors
/// [`Refusal`] says whether the stream ends or only the stanza.
pub fn from_partner(
    form: impl Into<Form>,
    proven: &[Authenticated<Pair>],
) -> Result<Addressed, Refusal> {
    let (stanza, index, pair) = addressed(form.into(), proven)?;
    let (local, remote) = (stanza.to.domain(), stanza.from.domain());
    let facts = Facts {
        method: pair.method(),
        ..Facts::of_pair(local, remote)
    };
    valid_here(&stanza, &stanza.to, "to", facts)?;
    // The pair was allowed when it was proven, and is judged again after each reload.
    well_formed(&stanza)
        .map_err(|what| refusal(&stanza, Some(facts), Reason::MalformedStanza(what)))?;
    Ok(Addressed {
        stanza,
        direction: Direction::Inbound,
        method: pair.method(),
        pair: index,
    })
}

/// Judges a partner's stanza of which no more than the start tag was kept.
pub fn excess_from_partner(excess: Excess, proven: &[Authenticated<Pair>]) -> Refusal {
    let reason = excess_reason(&excess);
    match addressed(excess.start.into(), proven) {
        Ok((stanza, _, pair)) => refusal(
            &stanza,
            Some(Facts::of_pair(&pair.local, &pair.remote)),
            reason,
        ),
        Err(refusal) => refusal,
    }
}

/// The same of a gateway's stanza.
pub fn excess_from_gateway(excess: Excess, proven: &Authenticated<Domain>) -> Refusal {
    let reason = excess_reason(&excess);
    match sent_from(excess.start.into(), proven) {
        Ok((kind, from, form)) => match Address::read(form.to(), "to", |_| None) {
            Ok(Address::Good(to)) => {
                let stanza = Stanza::new(kind, from, to, form);
                let facts = Facts::of_pair(proven, stanza.to.domain());
                refusal(&stanza, Some(facts), reason)
            }
            _ => to_nobody(kind, from, form, proven, reason),
        },
        Err(refusal) => refusal,
    }
}

fn excess_reason(excess: &Excess) -> Reason {
    match &excess.fault {
        Fault::ElementTooBig(limit) => Reason::StanzaTooBig {
            bytes: excess.bytes,
            limit: *limit,
        },
        fault => Reason::StanzaTooComplex(fault.clone()),
    }
}

/// The stanza with its addresses, and the pair that it belongs to, with its place among those proven.
fn addressed(
    mut form: Form,
    proven: &[Authenticated<Pair>],
) -> Result<(Stanza, usize, &Authenticated<Pair>), Refusal> {
    let kind = kind_of(&mut form).map_err(Refusal::Stream)?;
    let pair_of = |of: fn(&Pair) -> &Domain| {
        move |text: &str| {
            let mut domains = proven.iter().map(|pair| of(pair));
            domains.find(|domain| domain.written() == text)
        }
    };
    let from = Address::read(form.from(), "from", pair_of(|pair| &pair.remote));
    let from = from.map_err(Refusal::Stream)?;
    let to = Address::read(form.to(), "to", pair_of(|pair| &pair.local));
    let to = to.map_err(Refusal::Stream)?;
    let (local, remote) = (to.domain(), from.domain());
    // RFC 6120 §4.9.3.9: `from` must be of a domain proven on this stream.
    if !proven.iter().any(|pair| Some(&pair.remote) == remote) {
        return Err(Refusal::Stream(Reason::InvalidFrom));
    }
    // RFC 6120 §8.1.1.2, rule 2: `to` must be of a domain that was named when the pair was proven,
    // be it by SASL or by dialback; that another domain is served here, too, does not help.
    let Some((index, pair)) = proven
        .iter()
        .enumerate()
        .find(|(_, pair)| Some(&pair.remote) == remote && Some(&pair.local) == local)
    else {
        return Err(Refusal::Stream(Reason::HostUnknown));
    };
    match (from, to) {
        (Address::Good(from), Address::Good(to)) => {
            Ok((Stanza::new(kind, from, to, form), index, pair))
        }
        (from, to) => Err(malformed(kind, (from, to), form, pair)),
    }
}

/// Checks a stanza from a gateway against the domain its link has proven.
///
/// # Errors
/// [`Refusal`] says whether the link ends or only the stanza is answered.
pub fn from_gateway(
    form: impl Into<Form>,
    proven: &Authenticated<Domain>,
    rules: &Rules,
) -> Result<Addressed, Refusal> {
    let (kind, from, form) = sent_from(form.into(), proven)?;
    let to = match Address::read(form.to(), "to", |text| rules.listed(text)) {
        Ok(Address::Good(to)) => to,
        Ok(Address::Bad { text, .. }) => {
            let reason = Reason::MalformedAddress {
                attribute: "to",
                text,
            };
            return Err(to_nobody(kind, from, form, proven, reason));
        }
        Err(reason) => return Err(to_nobody(kind, from, form, proven, reason)),
    };
    let stanza = Stanza::new(kind, from, to, form);
    let remote = stanza.to.domain();
    if rules.is_local(remote) {
        return Err(refusal(&stanza, None, Reason::BothLocal));
    }
    let facts = Facts::of_pair(proven, remote);
    valid_here(&stanza, &stanza.from, "from", facts)?;
    well_formed(&stanza)
        .map_err(|what| refusal(&stanza, Some(facts), Reason::MalformedStanza(what)))?;
    if let Decision::Refuse(reason) = evaluate(facts, rules) {
        return Err(refusal(&stanza, Some(facts), reason));
    }
    Ok(Addressed {
        stanza,
        direction: Direction::Outbound,
        method: None,
        pair: 0,
    })
}

/// What kind of stanza a gateway sends, and from whom.
fn sent_from(mut form: Form, proven: &Authenticated<Domain>) -> Result<(Kind, Jid, Form), Refusal> {
    let kind = kind_of(&mut form).map_err(Refusal::Stream)?;
    let own = |text: &str| (proven.written() == text).then_some(&**proven);
    let from = Address::read(form.from(), "from", own).map_err(Refusal::Stream)?;
    // XEP-0114 §3: a component speaks for its own domain only.
    if from.domain() != Some(&**proven) {
        return Err(Refusal::Stream(Reason::InvalidFrom));
    }
    // A link carries everybody's stanzas: one user's slip of the pen must not end it.
    match from {
        Address::Good(from) => Ok((kind, from, form)),
        Address::Bad { text, .. } => Err(Refusal::Stanza {
            reason: Reason::MalformedAddress {
                attribute: "from",
                text,
            },
            pair: None,
            users: Box::default(),
            answer: None,
        }),
    }
}

fn kind_of(form: &mut Form) -> Result<Kind, Reason> {
    // What the edge says about a partner, only the edge may say. No span has anything of it.
    if let Form::Tree(element) = form {
        element.strip(&Ns::PARTNER);
    }
    // RFC 6120 §4.9.3.24: only the three kinds, in the content namespace, are stanzas.
    (form.is_content())
        .then(|| Kind::of(form.name()))
        .flatten()
        .ok_or_else(|| Reason::UnexpectedElement(form.name().to_owned()))
}

/// What stands in `from` or `to`.
enum Address {
    Good(Jid),
    /// No address; the domain, as far as one can be made out, and the text, fit for a log line.
    Bad {
        domain: Option<Domain>,
        text: String,
    },
}

impl Address {
    /// Reads an attribute.
    fn read<'d>(
        written: Option<&str>,
        name: &'static str,
        known: impl Fn(&str) -> Option<&'d Domain>,
    ) -> Result<Self, Reason> {
        // RFC 6120 §8.1.1.2, §8.1.2.2: between servers both addresses are required.
        let text = written
            .filter(|text| !text.is_empty())
            .ok_or(Reason::ImproperAddressing(name))?;
        Ok(match Jid::parse_knowing(text, known) {
            Ok(jid) => Self::Good(jid),
            Err(_) => Self::Bad {
                domain: domain_of(text),
                text: shown(text),
            },
        })
    }

    fn bare(&self) -> Option<Box<str>> {
        match self {
            Self::Good(jid) => Some(jid.bare().into()),
            Self::Bad { .. } => None,
        }
    }

    fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Good(jid) => Some(jid.domain()),
            Self::Bad { domain, .. } => domain.as_ref(),
        }
    }
}

/// The domain that a malformed address most likely is of: what stands between the last `@` and the
/// first `/`.
fn domain_of(text: &str) -> Option<Domain> {
    let bare = text.split('/').next().unwrap_or_default();
    Domain::parse(bare.rsplit('@').next().unwrap_or_default()).ok()
}

/// A malformed address for the operator: bridges of other networks make long ones.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    let cut = if short.len() < text.len() { "…" } else { "" };
    format!("{}{cut}", printable(&short))
}

/// RFC 6120 §8.3.3.8: one user's malformed address is answered, where the sender has an address, and
/// the stream, which carries everybody's stanzas, lives on.
fn malformed(
    kind: Kind,
    addresses: (Address, Address),
    form: Form,
    pair: &Authenticated<Pair>,
) -> Refusal {
    let users = Users {
        from: addresses.0.bare(),
        to: addresses.1.bare(),
    };
    let (attribute, text, from) = match addresses {
        (Address::Bad { text, .. }, _) => ("from", text, None),
        (Address::Good(from), Address::Bad { text, .. }) => ("to", text, Some(from)),
        (Address::Good(from), Address::Good(to)) => ("to", shown(to.as_str()), Some(from)),
    };
    let reason = Reason::MalformedAddress { attribute, text };
    // The answer comes from the domain: the address that was meant is none.
    let to = Jid::parse(pair.local.as_str()).ok();
    let answer = from.zip(to).and_then(|(from, to)| {
        let stanza = Stanza {
            kind,
            from,
            to,
            form,
        };
        bounce(&stanza, &reason)
    });
    Refusal::Stanza {
        reason,
        pair: Some(Box::new((**pair).clone())),
        users: Box::new(users),
        answer: answer.map(Box::new),
    }
}

/// RFC 7622 §3.3.1: the address on this side is one that an account here may have.
fn valid_here(
    stanza: &Stanza,
    own: &Jid,
    attribute: &'static str,
    facts: Facts<'_>,
) -> Result<(), Refusal> {
    if own.has_valid_local() {
        return Ok(());
    }
    let text = shown(own.as_str());
    let reason = Reason::MalformedAddress { attribute, text };
    Err(refusal(stanza, Some(facts), reason))
}

/// Refuses a gateway's stanza without a usable `to`; the answer comes from the link's own domain.
fn to_nobody(kind: Kind, from: Jid, form: Form, link: &Domain, reason: Reason) -> Refusal {
    let Ok(to) = Jid::parse(link.as_str()) else {
        return Refusal::Stream(reason);
    };
    let stanza = Stanza {
        kind,
        from,
        to,
        form,
    };
    Refusal::Stanza {
        answer: bounce(&stanza, &reason).map(Box::new),
        pair: None,
        users: Box::new(Users {
            to: None,
            ..Users::of(&stanza)
        }),
        reason,
    }
}

fn refusal(stanza: &Stanza, facts: Option<Facts<'_>>, reason: Reason) -> Refusal {
    let pair = facts.map(|facts| Pair {
        local: facts.local.clone(),
        remote: facts.remote.clone(),
    });
    Refusal::Stanza {
        answer: bounce(stanza, &reason).map(Box::new),
        pair: pair.map(Box::new),
        users: Box::new(Users::of(stanza)),
        reason,
    }
}

/// The rules that a stanza of each kind must keep by itself.
fn well_formed(stanza: &Stanza) -> Result<(), &'static str> {
    // RFC 6120 appendix A.6, RFC 6121 §5.2: a stanza has elements, and no text of its own. Who would
    // take it out unseen would change what was sent; whoever sends it is told (RFC 6120 §8.3.3.1).
    if stanza.form.has_text() {
        return Err("text directly inside a stanza");
    }
    let stanza_type = stanza.stanza_type();
    match stanza.kind {
        Kind::Iq => {
            // RFC 6120 §8.2.3, rule 1: `id` is required.
            if stanza.id().is_none_or(str::is_empty) {
                return Err("an iq without id");
            }
            let children = stanza.form.children();
            // RFC 6120 §8.2.3, rules 2 to 6: the type, and how many children it has.
            match stanza_type {
                Some("get" | "set") if children == 1 => Ok(()),
                Some("get" | "set") => Err("an iq request has exactly one child"),
                Some("result") if children <= 1 => Ok(()),
                Some("result") => Err("an iq result has at most one child"),
                Some("error") => has_error(stanza),
                _ => Err("an iq is a get, set, result or error"),
            }
        }
        Kind::Presence => match stanza_type {
            // RFC 6121 §4.7.1: the types of presence.
            None
            | Some(
                "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed" | "unavailable"
                | "probe",
            ) => Ok(()),
            Some("error") => has_error(stanza),
            Some(_) => Err("an unknown type of presence"),
        },
        // RFC 6121 §5.2.2: an unknown type of message counts as normal.
        Kind::Message if stanza_type == Some("error") => has_error(stanza),
        Kind::Message => Ok(()),
    }
}

fn has_error(stanza: &Stanza) -> Result<(), &'static str> {
    // RFC 6120 §8.3.1, rule 3: an error stanza contains an error.
    match stanza.form.has_error() {
        true => Ok(()),
        false => Err("an error without <error/>"),
    }
}

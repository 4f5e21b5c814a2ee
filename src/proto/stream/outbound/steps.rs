//! What an outbound stream does with each header and element, up to the last one before traffic.

use std::sync::Arc;

use super::super::close::one_line;
use super::super::features::Offered;
use super::super::{Milestone, Output, Record, header};
use super::doubt::{Doubt, is_for_servers, is_root_for_clients};
use super::next_step::{Step as NextStep, next_step};
use super::sharing::Sharing;
use super::{Channel, Initiating, Purpose, State};
use crate::proto::auth::dialback::{Answer, Message, Question, Requested, read, request};
use crate::proto::auth::{Authenticated, Pair, external};
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Reason};
use crate::proto::stream::cx::Cx;
use crate::proto::stream::established::Established;
use crate::proto::stream::negotiation::{Negotiation as _, Next, Step};
use crate::proto::xml::{Element, Header, Ns, StreamKind};

impl Initiating {
    pub(super) fn answering_header(
        &self,
        cx: &mut Cx<'_>,
        channel: Channel,
        header: &Header,
    ) -> Step<Self> {
        // Whatever it says besides, the port is the wrong one.
        if is_root_for_clients(header) {
            return Err(Reason::ClientPort);
        }
        if let Some(own) = self.own_domain(cx, header) {
            return Err(self.leads_back(Some(own)));
        }
        Ok(Next::Negotiate(match self.stream_id(header) {
            Ok(stream_id) => {
                cx.wire.record(Record::Reached(Milestone::Header));
                State::ExpectFeatures(Channel {
                    stream_id: stream_id.to_owned(),
                    is_for_servers: is_for_servers(header),
                    ..channel
                })
            }
            Err(fault) => State::Doubt(Box::new(Doubt::new(cx.now, header, fault))),
        }))
    }

    /// The local domain in whose name a header answers. A server that only mistakes `from` for `to`
    /// answers to the partner.
    fn own_domain(&self, cx: &Cx<'_>, header: &Header) -> Option<Domain> {
        let domain = |name| header::domain(header, name).ok().flatten();
        let is_turned = domain("to").is_some_and(|to| to == self.pair.remote);
        domain("from").filter(|from| cx.context.rules.is_local(from) && !is_turned)
    }

    /// The id of the stream, from a header that is an answer to ours.
    fn stream_id<'h>(&self, header: &'h Header) -> Result<&'h str, Reason> {
        header::check(header, StreamKind::Server)?;
        header::check_version(header)?;
        // RFC 6120 §4.7.1: an answer in another name is not an answer to us.
        if header::domain(header, "from")?.is_some_and(|from| from != self.pair.remote) {
            return Err(Reason::HeaderChanged("from"));
        }
        // RFC 6120 §4.7.3: the receiving entity gives the stream its id.
        header
            .attribute("id")
            .filter(|id| !id.is_empty())
            .ok_or(Reason::MissingStreamId)
    }

    pub(super) fn step(&mut self, cx: &mut Cx<'_>, state: State, element: &Element) -> Step<Self> {
        match state {
            State::ExpectFeatures(channel) => {
                let offered = Offered::read(element).ok_or_else(|| unexpected(element))?;
                self.features(cx, channel, offered)
            }
            State::ExpectProceed if element.is(&Ns::TLS, "proceed") => {
                cx.wire.begin_tls()?;
                cx.wire.push(Output::StartTls {
                    local: self.pair.local.clone(),
                    remote: self.pair.remote.clone(),
                });
                Ok(Next::Handshake(()))
            }
            State::ExpectProceed if element.is(&Ns::TLS, "failure") => Err(Reason::TlsRefused),
            State::ExpectSasl(channel, challenged) if *element.ns() == Ns::SASL => {
                self.sasl(cx, channel, challenged, element)
            }
            State::ExpectDialback(requested) if *element.ns() == Ns::DIALBACK => {
                self.dialback(cx, requested, element)
            }
            State::ExpectAnswer(question) if *element.ns() == Ns::DIALBACK => {
                self.answer(cx, question, element)
            }
            _ => Err(unexpected(element)),
        }
    }

    fn establish(
        &mut self,
        cx: &mut Cx<'_>,
        proof: Authenticated<Pair>,
        offered: Offered,
    ) -> Step<Self> {
        let mut established = Established::to_partner(cx, proof)?;
        if offered.acks {
            // The pair is proven anew, by itself: only then is its session asked for.
            let session = self.later.resumes.take();
            let session = session.map(|(session, _)| Box::new(session));
            established.ask_for_acks(cx, session);
        }
        self.is_done = true;
        let sharing = Sharing::new(self.later.shares.take());
        Ok(Next::Establish(established, sharing))
    }

    fn features(&mut self, cx: &mut Cx<'_>, channel: Channel, offered: Offered) -> Step<Self> {
        if offered.is_for_clients && !channel.is_for_servers {
            return Err(Reason::ClientPort);
        }
        self.offers_acks = offered.acks;
        let errors = offered.dialback_errors;
        self.later.shares = errors.then(|| channel.stream_id.as_str().into());
        cx.wire
            .record(Record::Reached(Milestone::Features(offered)));
        if let Some(proof) = channel.proven {
            return self.establish(cx, proof, offered);
        }
        let partner = Arc::clone(cx.allowed(&self.pair, None)?);
        let asking = matches!(self.purpose, Purpose::Ask(_));
        let report = cx.security.report();
        match next_step(&partner, asking, report, offered, self.try_external)? {
            NextStep::StartTls => {
                cx.wire.send(&Element::new(Ns::TLS, "starttls"));
                Ok(Next::Negotiate(State::ExpectProceed))
            }
            NextStep::External => {
                let response = external::initial_response(&self.pair.local);
                let tries = Milestone::Tries(Method::SaslExternal);
                cx.wire.record(Record::Reached(tries));
                cx.wire.send(
                    &Element::new(Ns::SASL, "auth")
                        .with_attribute("mechanism", external::MECHANISM)
                        .with_text(&response),
                );
                Ok(Next::Negotiate(State::ExpectSasl(channel, false)))
            }
            NextStep::Dialback(method) => Ok(self.request(cx, &channel, method)),
            NextStep::Ask => self.ask(cx),
        }
    }

    /// XEP-0220 §2.1.1: we want to send as `local`, here is the key for this very stream.
    fn request(&self, cx: &mut Cx<'_>, channel: &Channel, method: Method) -> Next<Self> {
        cx.wire.record(Record::Reached(Milestone::Tries(method)));
        let Pair { local, remote } = &self.pair;
        let key = cx
            .context
            .dialback
            .generate(remote, local, &channel.stream_id);
        cx.wire.send(&request("result", local, remote, None, &key));
        let requested = Requested::new(self.pair.clone(), method);
        Next::Negotiate(State::ExpectDialback(requested))
    }

    /// XEP-0220 §2.1.2: is this key yours?
    fn ask(&self, cx: &mut Cx<'_>) -> Step<Self> {
        let Purpose::Ask(question) = self.purpose.clone() else {
            return Err(Reason::NotAuthorized);
        };
        let Pair { local, remote } = &question.pair;
        let id = Some(question.stream_id.as_str());
        cx.wire
            .send(&request("verify", local, remote, id, &question.key));
        Ok(Next::Negotiate(State::ExpectAnswer(question)))
    }

    fn sasl(
        &mut self,
        cx: &mut Cx<'_>,
        mut channel: Channel,
        challenged: bool,
        element: &Element,
    ) -> Step<Self> {
        match element.name() {
            "success" => {
                let report = cx.security.report().ok_or_else(|| unexpected(element))?;
                let proof =
                    external::prove(self.pair.clone(), report).map_err(Reason::Certificate)?;
                channel.proven = Some(proof);
                cx.wire.restart();
                self.send_header(cx);
                Ok(Next::Negotiate(State::ExpectHeader(channel)))
            }
            // RFC 6120 §6.4.2: what was sent with <auth/> may be asked for again, but not for ever.
            "challenge" if !challenged => {
                let response = external::initial_response(&self.pair.local);
                cx.wire
                    .send(&Element::new(Ns::SASL, "response").with_text(&response));
                Ok(Next::Negotiate(State::ExpectSasl(channel, true)))
            }
            "failure" => {
                let condition = element
                    .children()
                    .find(|child| child.name() != "text")
                    .map_or("no condition", Element::name);
                let text = element
                    .child(&Ns::SASL, "text")
                    .map(|text| format!(" ({})", text.text()))
                    .unwrap_or_default();
                let reason = Reason::ExternalRefused(one_line(&format!("{condition}{text}")));
                // XEP-0178 §3, step 11: the stream may go on, and dialback may do instead.
                let partner = cx.allowed(&self.pair, None)?;
                if !partner.methods().contains(Method::TlsDialback) {
                    return Err(reason);
                }
                cx.wire.record(Record::MethodFailed {
                    pair: self.pair.clone(),
                    method: Method::SaslExternal,
                    reason,
                });
                Ok(self.request(cx, &channel, Method::TlsDialback))
            }
            _ => Err(unexpected(element)),
        }
    }

    fn dialback(&mut self, cx: &mut Cx<'_>, requested: Requested, element: &Element) -> Step<Self> {
        let requested = match read(element)? {
            Message::Result(verdict, claim) => match requested.close(&verdict, &claim) {
                // XEP-0220 §2.1: no features follow. What was offered before holds.
                Ok(proof) => {
                    let offered = Offered {
                        acks: self.offers_acks,
                        ..Offered::default()
                    };
                    return self.establish(cx, proof, offered);
                }
                Err(Err(reason)) => return Err(reason),
                // Not our question: nothing changes.
                Err(Ok(requested)) => requested,
            },
            _ => requested,
        };
        cx.wire.ignore(unexpected(element));
        Ok(Next::Negotiate(State::ExpectDialback(requested)))
    }

    fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        question: Box<Question>,
        element: &Element,
    ) -> Step<Self> {
        match read(element)? {
            // XEP-0220 §2.2.2: from, to and id say which question is answered.
            Message::Answer(verdict, claim, id)
                if claim.from == question.pair.remote
                    && claim.to == question.pair.local
                    && id == question.stream_id =>
            {
                let answer = Answer::assertion(*question, verdict);
                self.is_done = true;
                cx.wire.push(Output::Answered(answer));
                Err(Reason::Finished)
            }
            _ => {
                cx.wire.ignore(unexpected(element));
                Ok(Next::Negotiate(State::ExpectAnswer(question)))
            }
        }
    }
}

pub(super) fn unexpected(element: &Element) -> Reason {
    Reason::UnexpectedElement(element.name().to_owned())
}

//! What an outbound stream does with each header and element, up to the last one before it opens.

use std::sync::Arc;

use super::super::close::one_line;
use super::super::features::Offered;
use super::super::{Milestone, Now, Output, Record, header};
use super::doubt::{Doubt, is_for_servers, is_root_for_clients};
use super::negotiation::{Step, next_step};
use super::{Channel, Outbound, Purpose, State};
use crate::proto::auth::dialback::{Answer, Message, Question, Requested, read, request};
use crate::proto::auth::{Pair, external};
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Reason};
use crate::proto::xml::{Element, Header, Ns, StreamKind};

impl Outbound {
    pub(super) fn header(&mut self, now: Now, header: &Header) -> Result<(), Reason> {
        let State::ExpectHeader(channel) = std::mem::replace(&mut self.state, State::Closed) else {
            return Err(Reason::InvalidNamespace);
        };
        // Whatever it says besides, the port is the wrong one.
        if is_root_for_clients(header) {
            return Err(Reason::ClientPort);
        }
        if let Some(own) = self.own_domain(header) {
            return Err(self.leads_back(Some(own)));
        }
        self.state = match self.stream_id(header) {
            Ok(stream_id) => {
                self.wire.record(Record::Reached(Milestone::Header));
                State::ExpectFeatures(Channel {
                    stream_id: stream_id.to_owned(),
                    is_for_servers: is_for_servers(header),
                    ..channel
                })
            }
            Err(fault) => State::Doubt(Doubt::new(now, header, fault)),
        };
        Ok(())
    }

    /// The local domain in whose name a header answers. A server that only mistakes `from` for `to`
    /// answers to the partner.
    fn own_domain(&self, header: &Header) -> Option<Domain> {
        let domain = |name| header::domain(header, name).ok().flatten();
        let is_turned = domain("to").is_some_and(|to| to == self.pair.remote);
        domain("from").filter(|from| self.context.rules.is_local(from) && !is_turned)
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

    pub(super) fn element(&mut self, now: Now, element: &Element) -> Result<(), Reason> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::ExpectFeatures(channel) => {
                let offered = Offered::read(element).ok_or_else(|| unexpected(element))?;
                self.features(now, channel, offered)
            }
            State::ExpectProceed if element.is(&Ns::TLS, "proceed") => {
                self.wire.begin_tls()?;
                self.wire.push(Output::StartTls {
                    local: self.pair.local.clone(),
                    remote: self.pair.remote.clone(),
                });
                self.state = State::ExpectTls;
                Ok(())
            }
            State::ExpectProceed if element.is(&Ns::TLS, "failure") => Err(Reason::TlsRefused),
            State::ExpectSasl(channel, challenged) if *element.ns() == Ns::SASL => {
                self.sasl(channel, challenged, element)
            }
            State::ExpectDialback(channel, requested) if *element.ns() == Ns::DIALBACK => {
                self.dialback(now, channel, requested, element)
            }
            State::ExpectAnswer(question) if *element.ns() == Ns::DIALBACK => {
                self.answer(now, question, element)
            }
            State::Open(open) => {
                // RFC 6120 §4.5: this stream is one-way; without bidi nothing is carried back.
                if *element.ns() == Ns::CONTENT {
                    return Err(Reason::NotAuthorized);
                }
                self.wire.ignore(unexpected(element));
                self.wire.push(Output::Pace);
                self.state = State::Open(open);
                Ok(())
            }
            _ => Err(unexpected(element)),
        }
    }

    fn features(&mut self, now: Now, channel: Channel, offered: Offered) -> Result<(), Reason> {
        if offered.is_for_clients && !channel.is_for_servers {
            return Err(Reason::ClientPort);
        }
        self.wire
            .record(Record::Reached(Milestone::Features(offered)));
        if let Some(proof) = channel.proven.clone() {
            return self.open(now, proof);
        }
        let partner = Arc::clone(self.partner(None)?);
        let asking = matches!(self.purpose, Purpose::Ask(_));
        match next_step(
            &partner,
            asking,
            &channel.encryption,
            offered,
            self.try_external,
        )? {
            Step::StartTls => {
                self.wire.send(&Element::new(Ns::TLS, "starttls"));
                self.state = State::ExpectProceed;
            }
            Step::External => {
                let response = external::initial_response(&self.pair.local);
                let tries = Milestone::Tries(Method::SaslExternal);
                self.wire.record(Record::Reached(tries));
                self.wire.send(
                    &Element::new(Ns::SASL, "auth")
                        .with_attribute("mechanism", external::MECHANISM)
                        .with_text(&response),
                );
                self.state = State::ExpectSasl(channel, false);
            }
            Step::Dialback(method) => self.request(channel, method),
            Step::Ask => self.ask(),
        }
        Ok(())
    }

    /// XEP-0220 §2.1.1: we want to send as `local`, here is the key for this very stream.
    fn request(&mut self, channel: Channel, method: Method) {
        self.wire.record(Record::Reached(Milestone::Tries(method)));
        let Pair { local, remote } = &self.pair;
        let key = self
            .context
            .dialback
            .generate(remote, local, &channel.stream_id);
        self.wire
            .send(&request("result", local, remote, None, &key));
        let requested = Requested::new(self.pair.clone(), method);
        self.state = State::ExpectDialback(channel, requested);
    }

    /// XEP-0220 §2.1.2: is this key yours?
    fn ask(&mut self) {
        let Purpose::Ask(question) = self.purpose.clone() else {
            return;
        };
        let Pair { local, remote } = &question.pair;
        let id = Some(question.stream_id.as_str());
        self.wire
            .send(&request("verify", local, remote, id, &question.key));
        self.state = State::ExpectAnswer(question);
    }

    fn sasl(
        &mut self,
        mut channel: Channel,
        challenged: bool,
        element: &Element,
    ) -> Result<(), Reason> {
        match element.name() {
            "success" => {
                let report = channel
                    .encryption
                    .report()
                    .ok_or_else(|| unexpected(element))?;
                let proof =
                    external::prove(self.pair.clone(), report).map_err(Reason::Certificate)?;
                channel.proven = Some(proof);
                self.wire.restart();
                self.send_header(channel);
                Ok(())
            }
            // RFC 6120 §6.4.2: what was sent with <auth/> may be asked for again, but not for ever.
            "challenge" if !challenged => {
                let response = external::initial_response(&self.pair.local);
                self.wire
                    .send(&Element::new(Ns::SASL, "response").with_text(&response));
                self.state = State::ExpectSasl(channel, true);
                Ok(())
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
                if !self.partner(None)?.methods().contains(Method::TlsDialback) {
                    return Err(reason);
                }
                self.wire.record(Record::MethodFailed {
                    pair: self.pair.clone(),
                    method: Method::SaslExternal,
                    reason,
                });
                self.request(channel, Method::TlsDialback);
                Ok(())
            }
            _ => Err(unexpected(element)),
        }
    }

    fn dialback(
        &mut self,
        now: Now,
        channel: Channel,
        requested: Requested,
        element: &Element,
    ) -> Result<(), Reason> {
        if let Message::Result(verdict, claim) = read(element)? {
            match requested.close(&verdict, &claim) {
                Ok(proof) => self.open(now, proof)?,
                Err(Err(reason)) => return Err(reason),
                // Not our question: nothing changes.
                Err(Ok(requested)) => {
                    self.wire.ignore(unexpected(element));
                    self.state = State::ExpectDialback(channel, requested);
                }
            }
        } else {
            self.wire.ignore(unexpected(element));
            self.state = State::ExpectDialback(channel, requested);
        }
        Ok(())
    }

    fn answer(&mut self, now: Now, question: Question, element: &Element) -> Result<(), Reason> {
        match read(element)? {
            // XEP-0220 §2.2.2: from, to and id say which question is answered.
            Message::Answer(verdict, claim, id)
                if claim.from == question.pair.remote
                    && claim.to == question.pair.local
                    && id == question.stream_id =>
            {
                let answer = Answer::assertion(question, verdict);
                self.is_done = true;
                self.wire.push(Output::Answered(answer));
                self.begin_closing(now, Reason::Finished);
            }
            _ => {
                self.wire.ignore(unexpected(element));
                self.state = State::ExpectAnswer(question);
            }
        }
        Ok(())
    }
}

fn unexpected(element: &Element) -> Reason {
    Reason::UnexpectedElement(element.name().to_owned())
}

//! A name server on loopback for tests, which answers as it is told, or not at all.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What is answered to a question.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These records; none: the name exists, and has no such record.
    Records(Vec<RData>),
    /// These records, each of the name before it, whatever was asked for.
    Chain(Vec<(&'static str, RData)>),
    /// An error.
    Error(ResponseCode),
    /// Nothing, ever.
    Silence,
}

/// The answers; every other name does not exist.
#[derive(Clone, Default)]
pub(crate) struct Zone {
    answers: HashMap<(String, RecordType), Answer>,
}

impl Zone {
    pub(crate) fn answer(mut self, name: &str, kind: RecordType, answer: Answer) -> Self {
        self.answers.insert((format!("{name}."), kind), answer);
        self
    }

    /// An SRV record for a domain; more of them add up.
    pub(crate) fn srv(mut self, domain: &str, priority: u16, port: u16, target: &str) -> Self {
        let target = Name::from_ascii(format!("{}.", target.trim_end_matches('.'))).unwrap();
        let record = RData::SRV(SRV::new(priority, 10, port, target));
        let name = format!("_xmpp-server._tcp.{domain}.");
        let entry = self.answers.entry((name, RecordType::SRV));
        match entry.or_insert_with(|| Answer::Records(Vec::new())) {
            Answer::Records(records) => records.push(record),
            _ => unreachable!("the name has another answer"),
        }
        self
    }

    /// A name that is another name, whatever is asked of it.
    pub(crate) fn alias(mut self, name: &str, target: &str) -> Self {
        let target = Name::from_ascii(format!("{target}.")).unwrap();
        let records = Answer::Records(vec![RData::CNAME(CNAME(target))]);
        for kind in [RecordType::CNAME, RecordType::SRV] {
            self = self.answer(name, kind, records.clone());
        }
        self
    }

    /// The addresses of a host, each family on its own: a family without any does not exist.
    pub(crate) fn host(mut self, name: &str, addresses: &[&str]) -> Self {
        for address in addresses {
            let (kind, record) = match address.parse().unwrap() {
                IpAddr::V4(address) => (RecordType::A, RData::A(A(address))),
                IpAddr::V6(address) => (RecordType::AAAA, RData::AAAA(AAAA(address))),
            };
            let entry = self.answers.entry((format!("{name}."), kind));
            match entry.or_insert_with(|| Answer::Records(Vec::new())) {
                Answer::Records(records) => records.push(record),
                _ => unreachable!("the name has another answer"),
            }
        }
        self
    }

    /// Serves the zone until the runtime ends.
    pub(crate) async fn serve(self) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let request = Message::from_vec(&buffer[..length]).unwrap();
                let query = &request.queries[0];
                let question = (query.name().to_lowercase().to_ascii(), query.query_type());
                log.lock()
                    .unwrap()
                    .push((query.name().to_ascii(), query.query_type()));
                let mut response = Message::response(request.metadata.id, OpCode::Query);
                response.metadata.recursion_desired = true;
                response.metadata.recursion_available = true;
                response.add_query(query.clone());
                match self.answers.get(&question) {
                    None => response.metadata.response_code = ResponseCode::NXDomain,
                    Some(Answer::Error(code)) => response.metadata.response_code = *code,
                    Some(Answer::Silence) => continue,
                    Some(Answer::Chain(records)) => {
                        let record = |(owner, data): &(&str, RData)| {
                            let owner = Name::from_ascii(format!("{owner}.")).unwrap();
                            Record::from_rdata(owner, 60, data.clone())
                        };
                        response.add_answers(records.iter().map(record));
                    }
                    Some(Answer::Records(records)) => {
                        let owner = query.name().clone();
                        let record =
                            |data: &RData| Record::from_rdata(owner.clone(), 60, data.clone());
                        response.add_answers(records.iter().map(record));
                    }
                }
                let bytes = response.to_vec().unwrap();
                socket.send_to(&bytes, from).await.unwrap();
            }
        });
        NameServer { address, asked }
    }
}

/// A running name server.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl NameServer {
    /// The questions that came, in their order and in their spelling.
    pub(crate) fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().unwrap().clone()
    }
}

//! A name server on loopback that knows the demo's domains and nothing else.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;

use super::trouble::{During, Trouble};

/// In seconds: the demo is over before it matters.
const TIME_TO_LIVE: u32 = 60;

/// A running name server; it serves until the runtime ends.
#[derive(Clone, Debug)]
pub(super) struct NameServer {
    /// Where it is to be asked, by UDP.
    pub(super) address: SocketAddr,
    zone: Zone,
}

/// What each name has.
type Zone = Arc<Mutex<HashMap<Name, RData>>>;

impl NameServer {
    /// Starts to answer, with nothing published yet.
    pub(super) async fn start() -> Result<Self, Trouble> {
        let what = "opening the name server";
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .during(what)?;
        let address = socket.local_addr().during(what)?;
        let zone = Zone::default();
        tokio::spawn(serve(socket, Arc::clone(&zone)));
        Ok(Self { address, zone })
    }

    /// Publishes where the server of a domain is: an SRV record, and the address of its target.
    pub(super) fn publish(&self, domain: &str, server: SocketAddr) -> Result<(), Trouble> {
        let name = |text: String| Name::from_ascii(text).during("making a name");
        let host = name(format!("xmpp.{domain}."))?;
        let service = name(format!("_xmpp-server._tcp.{domain}."))?;
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        zone.insert(host.clone(), RData::A(A(Ipv4Addr::LOCALHOST)));
        zone.insert(service, RData::SRV(SRV::new(0, 0, server.port(), host)));
        Ok(())
    }
}

async fn serve(socket: UdpSocket, zone: Zone) {
    let mut buffer = [0; 512];
    // An error here is about one client that is gone.
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let request = buffer.get(..length).map(Message::from_vec);
        if let Some(Ok(request)) = request
            && let Ok(bytes) = answer(&request, &zone).to_vec()
        {
            socket.send_to(&bytes, from).await.unwrap_or_default();
        }
    }
}

fn answer(request: &Message, zone: &Zone) -> Message {
    let mut response = Message::response(request.metadata.id, OpCode::Query);
    response.metadata.recursion_desired = request.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    let zone = zone.lock().unwrap_or_else(PoisonError::into_inner);
    for query in &request.queries {
        response.add_query(query.clone());
        // Names are equal without regard to case, and the answer repeats the question's spelling.
        match zone.get(query.name()) {
            None => response.metadata.response_code = ResponseCode::NXDomain,
            Some(data) if data.record_type() == query.query_type() => {
                let record = Record::from_rdata(query.name().clone(), TIME_TO_LIVE, data.clone());
                response.add_answers([record]);
            }
            // RFC 2308 §2.2: the name exists, and has no such record.
            Some(_) => {}
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::io::resolve::DnsResolver;
    use crate::proto::jid::Domain;

    #[tokio::test]
    async fn only_what_is_published_exists() {
        let server = NameServer::start().await.unwrap();
        let place = "127.0.0.1:40123".parse().unwrap();
        server.publish("contoso.example", place).unwrap();
        let resolver = DnsResolver::new(&[server.address]).unwrap();
        let targets = |name: &str| {
            let (resolver, domain) = (resolver.clone(), Domain::parse(name).unwrap());
            async move { resolver.srv(&domain).await }
        };
        let found = targets("contoso.example").await.unwrap();
        assert_eq!(
            (found[0].1.target.as_str(), found[0].1.port),
            ("xmpp.contoso.example", 40123)
        );
        let host = "xmpp.contoso.example";
        assert_eq!(resolver.ipv4(host).await.unwrap(), [Ipv4Addr::LOCALHOST]);
        assert!(resolver.ipv6(host).await.unwrap_err().is_absent());
        assert!(targets("tailspin.example").await.unwrap_err().is_absent());
    }
}

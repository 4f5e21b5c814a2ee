//! A partner that asks for more and more pairs by dialback, and strangers whose questions nobody
//! answers.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::{flood_time, lab};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::lab::{FREE_PORTS, Lab};

/// The default of `pairs-per-stream`.
const PAIRS: usize = 64;

fn header(from: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='{from}' to='contoso.example' \
         version='1.0'>"
    )
}

fn request(from: &str) -> String {
    format!("<db:result from='{from}' to='contoso.example'>key</db:result>")
}

fn connect_from(address: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let from = SocketAddr::new(IpAddr::from(address), 0);
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// A server for every domain that says of each key that it is good, and counts its connections.
pub(super) fn authority_for_all() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let mut said_header = false;
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let attribute = |name: &str| {
            let (_, rest) = text.rsplit_once(&format!(" {name}='"))?;
            rest.split('\'').next()
        };
        let Some(own) = attribute("to").map(str::to_owned) else {
            continue;
        };
        let mut said = String::new();
        if !said_header {
            said_header = true;
            said = header(&own).replace("version", "id='theirs' version") + "<stream:features/>";
        }
        if text.contains("</db:verify>") {
            let id = attribute("id").unwrap_or_default();
            said +=
                &format!("<db:verify from='{own}' to='contoso.example' id='{id}' type='valid'/>");
        }
        if stream.write_all(said.as_bytes()).is_err() || text.contains("</stream:stream>") {
            return;
        }
    }
}

#[test]
fn who_asks_for_thousands_of_pairs_gets_few_and_holds_little() {
    let authority = authority_for_all();
    let wildcard = format!(
        "[[partner]]\nprimary-domain = \"litware.example\"\n\
         additional-domains = [\"*.litware.example\"]\ntype = \"federated\"\ntls = \"optional\"\n\
         sasl = \"optional\"\ndialback = true\nroute = [\"{authority}\"]\nconnection-limit = 20\n"
    );
    let lab = lab(authority, "", &wildcard);
    let daemon = Daemon::start(&lab);
    let _link = link(&daemon);
    let mut stream = TcpStream::connect(daemon.s2s).unwrap();
    converse(&stream, &header("litware.example"), "</stream:features>");
    converse(&stream, &request("litware.example"), "type='valid'/>");
    let descriptors = daemon.descriptors();

    let mut reading = stream.try_clone().unwrap();
    reading
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let begun = Instant::now();
    let heard = std::thread::spawn(move || {
        let (mut heard, mut buffer) = (String::new(), [0; 65536]);
        // What it has asked in that time is answered for much longer, at its rate.
        while begun.elapsed() < flood_time() + Duration::from_secs(2)
            && let Ok(count @ 1..) = reading.read(&mut buffer)
        {
            heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        heard
    });
    stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let (mut asked, mut open) = (0, 0);
    while begun.elapsed() < flood_time() {
        let name = format!("d{asked}.litware.example");
        if stream.write_all(request(&name).as_bytes()).is_err() {
            break;
        }
        asked += 1;
        if asked % 50 == 0 {
            open = open.max(daemon.descriptors().saturating_sub(descriptors));
        }
    }
    let heard = heard.join().unwrap();
    let proven = heard.matches("type='valid'").count();
    let refused = heard.matches("resource-constraint").count();
    let lines = daemon.whole_log().lock().unwrap().len();
    println!(
        "{asked} asked, {proven} proven, {refused} refused, {open} descriptors, {lines} lines"
    );
    assert!(refused > 100, "the stream lives on, and each is answered");
    assert!(proven < PAIRS, "{proven}");
    assert!(open <= 16 + 4, "{open} descriptors");
    assert!(lines < 400, "{lines} lines");
}

/// A name server on loopback: whatever is asked for is at `port_of` the domain, on 127.0.0.1, and may be
/// elsewhere the next moment. Where there is no port it says nothing.
pub(crate) fn name_server(port_of: impl Fn(&str) -> Option<u16> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = &buffer[..length];
            let mut labels = Vec::new();
            let mut at = 12;
            while query[at] != 0 {
                let size = usize::from(query[at]);
                labels.push(String::from_utf8_lossy(&query[at + 1..=at + size]).to_lowercase());
                at += size + 1;
            }
            let question = &query[12..at + 5];
            let kind = query[at + 2];
            let name = labels.join(".");
            let data = match kind {
                1 => Some(vec![127, 0, 0, 1]),
                33 => {
                    let domain = name.trim_start_matches("_xmpp-server._tcp.");
                    let Some(port) = port_of(domain) else {
                        continue;
                    };
                    let mut data = vec![0, 0, 0, 1];
                    data.extend(port.to_be_bytes());
                    data.extend(b"\x04host\x07example\x00");
                    Some(data)
                }
                _ => None,
            };
            let mut response = query[..2].to_vec();
            let answers = u8::from(data.is_some());
            response.extend([0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
            response.extend(question);
            if let Some(data) = data {
                response.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0]);
                response.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                response.extend(data);
            }
            socket.send_to(&response, from).unwrap();
        }
    });
    address
}

/// Many strangers' domains, whose servers take connections and say nothing, keep questions open; then
/// comes one that is honest.
#[test]
fn an_honest_question_does_not_wait_for_those_that_nobody_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let honest_port = authority_for_all().port();
    let dns = name_server(move |domain| match domain {
        "honest.example" => Some(honest_port),
        _ => Some(silent_port),
    });
    let edge = FREE_PORTS.replace(
        "[s2s]\n",
        &format!("[dns]\nnameservers = [\"{dns}\"]\nallow-private-addresses = true\n\n[s2s]\n"),
    );
    let partners = "[default-partner]\ntype = \"public-verified\"\ntls = \"optional\"\n\
                    sasl = \"optional\"\ndialback = true\n";
    let daemon = Daemon::start(&Lab::with(&edge, partners));
    let mut crowd = Vec::new();
    let mut ask = |number: u8| {
        // Each from a network of its own, two questions each.
        let stream = connect_from([127, 2, number, 1], daemon.s2s);
        let name = format!("s{number}.example");
        converse(&stream, &header(&name), "</stream:features>");
        for which in ["", "a."] {
            let text = request(&format!("{which}{name}"));
            (&stream).write_all(text.as_bytes()).unwrap();
        }
        crowd.push(stream);
    };
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < flood_time() || number < 100 {
        if number < 200 {
            ask(number);
            number += 1;
        } else {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let begun = Instant::now();
    let stream = connect_from([127, 3, 0, 1], daemon.s2s);
    converse(&stream, &header("honest.example"), "</stream:features>");
    converse(&stream, &request("honest.example"), "type='valid'/>");
    let took = begun.elapsed();
    println!("among {number} strangers an honest question took {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

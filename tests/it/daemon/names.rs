//! A name server that is silent, that lies, and that says something else later: what becomes of the stanzas
//! that need its answers.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::peers::{Peer, Role};
use super::process::Daemon;
use super::{converse, link};
use crate::lab::{FREE_PORTS, Lab, with};
use crate::proven::asking::name_server;

const PATIENCE: Duration = Duration::from_secs(20);
const PARTNERS: &str = "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
                        tls = \"optional\"\nsasl = \"optional\"\ndialback = true\n";
/// What a server says that does not serve the domain.
const OTHER: &str = "<stream:stream xmlns='jabber:server' from='other.example' \
     xmlns:stream='http://etherx.jabber.org/streams'><stream:error>\
     <host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";

/// A server of another domain, and all that it hears.
fn liar() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::<Mutex<String>>::default();
    let told = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut piece = [0; 4096];
            // What it has heard is noted before it answers: then the edge closes.
            while let Ok(count @ 1..) = stream.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..count]);
                told.lock().unwrap().push_str(&text);
                stream.write_all(OTHER.as_bytes()).unwrap_or_default();
            }
        }
    });
    (port, heard)
}

fn say(mut gateway: &TcpStream, id: &str) {
    let message = format!("<message from='b@contoso.example' to='a@fabrikam.example' id='{id}'/>");
    gateway.write_all(message.as_bytes()).unwrap();
}

#[test]
fn dns_that_is_silent_lies_or_changes_costs_the_stanzas_of_that_moment_and_no_others() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let partner = |peer: &Arc<Peer>| {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(Arc::clone(peer).serves(listener));
        port
    };
    let port = Arc::<AtomicU16>::default();
    let says = Arc::clone(&port);
    let server = name_server(move |_| Some(says.load(SeqCst)).filter(|port| *port > 0));
    let names = format!("nameservers = [\"{server}\"]\nallow-private-addresses = true");
    let edge = [
        ("s2s", "stream-establishment-timeout = \"1s\""),
        ("dns", &names),
    ];
    let lab = Lab::with(&with(&FREE_PORTS, &edge), PARTNERS);
    let daemon = Daemon::start(&lab);
    let gateway = link(&daemon);
    // A reload forgets what has failed.
    let anew = |to: u16| {
        port.store(to, SeqCst);
        daemon.signal("HUP");
        daemon.log_line("reload-done");
    };

    // Silence.
    say(&gateway, "silent");
    let bounce = converse(&gateway, "", "</message>");
    for part in ["id='silent'", "remote-server-timeout"] {
        assert!(bounce.contains(part), "{bounce}");
    }
    // A lie.
    let (lie, heard) = liar();
    anew(lie);
    say(&gateway, "lie");
    let bounce = converse(&gateway, "", "</message>");
    for part in ["id='lie'", "type='error'"] {
        assert!(bounce.contains(part), "{bounce}");
    }
    let line = daemon.log_lines(1, |line| {
        line.contains("\"dial-failed\"") && line.contains("not-served")
    });
    assert!(line[0].contains("other.example") || line[0].contains("does not serve"));
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("fabrikam.example") && !heard.contains("<message"));
    // The truth, and then another: the stream that is there is used for as long as it lives.
    let [old, new] = [(); 2].map(|()| Peer::new(Role::Receiver, false));
    let [first, second] = [&old, &new].map(partner);
    let until = |peer: &Arc<Peer>, id: &str| {
        let begun = Instant::now();
        while !peer.came().contains(&id.to_owned()) {
            assert!(begun.elapsed() < PATIENCE, "no {id}");
            sleep(Duration::from_millis(10));
        }
    };
    anew(first);
    say(&gateway, "true");
    until(&old, "true");
    anew(second);
    say(&gateway, "changed");
    until(&old, "changed");
    // The old place is gone.
    old.dies(Duration::from_secs(3600));
    daemon.log_lines(1, |line| {
        line.contains("\"stream-closed\"") && line.contains("\"outbound\"")
    });
    say(&gateway, "moved");
    until(&new, "moved");
    assert_eq!(old.came().len(), 2);
    daemon.signal("TERM");
    daemon.log_line("drained");
}

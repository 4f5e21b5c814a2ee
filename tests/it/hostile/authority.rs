//! A partner's own server, which calls every dialback key good, but for one that it never judges.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The key that it has nothing to say about.
pub(crate) const NEVER: &str = "never";

/// It serves as long as the tests run.
pub(crate) struct Authority {
    pub(crate) address: SocketAddr,
    /// All that it was told.
    pub(crate) heard: Arc<Mutex<String>>,
}

impl Authority {
    /// It closes its streams when asked to.
    pub(crate) fn start() -> Self {
        Self::start_with(true)
    }

    /// It leaves its streams open.
    pub(crate) fn start_without_closing() -> Self {
        Self::start_with(false)
    }

    fn start_with(closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<String>>::default();
        let told = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = Arc::clone(&told);
                std::thread::spawn(move || serve(stream, closes, &told));
            }
        });
        Self { address, heard }
    }
}

const HEADER: &str = "<stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' \
    from='fabrikam.example' to='contoso.example' id='theirs' version='1.0'><stream:features/>";

/// Answers the header, then each request in its turn, until the edge has enough.
fn serve(mut stream: TcpStream, closes: bool, told: &Mutex<String>) {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    let mut said_header = false;
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..count]);
        heard.push_str(&text);
        told.lock().unwrap().push_str(&text);
        let mut answer = String::new();
        if !said_header && heard.contains("<stream:stream") {
            said_header = true;
            answer.push_str(HEADER);
        }
        for name in ["verify", "result"] {
            while let Some((before, after)) = heard.split_once(&format!("<db:{name} ")) {
                let Some((attributes, rest)) = after.split_once('>') else {
                    break;
                };
                if rest.starts_with(NEVER) {
                    heard = format!("{before}{rest}");
                    continue;
                }
                let id = attributes.split("id='").nth(1);
                let id = id.and_then(|id| id.split('\'').next()).unwrap_or_default();
                answer.push_str(&format!(
                    "<db:{name} from='fabrikam.example' to='contoso.example' id='{id}' type='valid'/>"
                ));
                heard = format!("{before}{rest}");
            }
        }
        let is_over = closes && heard.contains("</stream:stream>");
        if stream.write_all(answer.as_bytes()).is_err() || is_over {
            return;
        }
    }
}

//! Whoever looks at the edge meanwhile: a scraper, a browser with the page open, and a trace of the partner that
//! floods. Each does what its like does in the field, and no more.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::partner::FLOOD;

/// How often a Prometheus that is in a hurry scrapes.
const SCRAPES: Duration = Duration::from_secs(1);
/// How often the page's own script loads it anew: `STEP` in `page.js`.
const LOOKS: Duration = Duration::from_secs(5);

/// All that look, until they are told to stop.
pub struct Watchers {
    stop: Vec<Sender<()>>,
    /// How often each has been answered.
    seen: Vec<(&'static str, JoinHandle<usize>)>,
    trace: UnixStream,
}

impl Watchers {
    /// They begin to look at the edge whose HTTP listener and socket these are.
    pub fn start(http: SocketAddr, socket: &Path, seconds: u64) -> Self {
        let (mut stop, mut seen) = (Vec::new(), Vec::new());
        for (name, path, pause) in [("scrapes", "/metrics", SCRAPES), ("pages", "/", LOOKS)] {
            let (sender, told) = channel();
            stop.push(sender);
            let get = move || {
                let mut answers = 0;
                loop {
                    get(http, path);
                    answers += 1;
                    if told.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                        return answers;
                    }
                }
            };
            seen.push((name, thread::spawn(get)));
        }
        let mut trace = UnixStream::connect(socket).unwrap();
        // An hour at most; whoever hangs up ends it.
        let seconds = (seconds + 60).min(3600);
        let request = format!("{{\"trace\":{{\"domain\":\"{FLOOD}\",\"seconds\":{seconds}}}}}\n");
        trace.write_all(request.as_bytes()).unwrap();
        let mut again = trace.try_clone().unwrap();
        let mut lines = BufReader::new(trace.try_clone().unwrap()).lines();
        let greeting = lines.next().unwrap().unwrap();
        assert!(greeting.starts_with("{\"xmpp-edge\""), "{greeting}");
        let first = lines.next().unwrap().unwrap();
        assert!(first.starts_with("{\"trace\""), "{first}");
        let read = move || {
            let mut count = 0;
            for line in lines.map_while(Result::ok) {
                count += 1;
                // It is as long as it may be: somebody who watches for long begins another.
                if line.starts_with("{\"trace\":{\"end\"")
                    && again.write_all(request.as_bytes()).is_err()
                {
                    break;
                }
            }
            count
        };
        seen.push(("lines of a trace", thread::spawn(read)));
        Self { stop, seen, trace }
    }

    /// They look no more: what they have seen.
    pub fn end(self) -> String {
        drop(self.stop);
        self.trace.shutdown(Shutdown::Both).unwrap();
        let seen = self.seen.into_iter();
        let seen = seen.map(|(name, thread)| format!("{} {name}", thread.join().unwrap()));
        seen.collect::<Vec<_>>().join(", ")
    }
}

/// One request, and its answer to the end.
fn get(http: SocketAddr, path: &str) {
    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{path}: {}",
        String::from_utf8_lossy(&answer)
    );
}

use std::collections::VecDeque;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::net::io::connect::tune;
use crate::net::io::transport::Socket;
use crate::net::live::mailbox::mailbox;
use crate::net::relay::queue::tests::queued;
use crate::net::relay::queue::{Consumer, Queue};
use crate::proto::auth::chain::{Checker, TlsFacts};

/// A machine that does what it is told, and notes what it is told of.
#[derive(Default)]
struct Puppet {
    outputs: VecDeque<Output>,
    /// What to do when these bytes have come.
    on: Vec<(&'static [u8], Vec<Output>)>,
    read: Vec<u8>,
    open: bool,
    deadline: Option<Instant>,
    /// Whether there is something to act on for each read.
    paces: bool,
}

impl Machine for Puppet {
    fn handle(&mut self, _now: Now, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                self.read.extend_from_slice(bytes);
                self.outputs.extend(self.paces.then_some(Output::Pace));
            }
            Input::Deliver(stanza) => {
                let text = stanza.id().unwrap().as_bytes();
                self.outputs.push_back(Output::Send(text.to_vec()));
            }
            Input::Eof => self.outputs.push_back(Output::Close(Reason::PeerClosed)),
            Input::End(reason) => self.outputs.push_back(Output::Close(reason)),
            Input::Context(_) => self.outputs.push_back(Output::Send(b"rules".to_vec())),
            Input::Tick => {
                self.deadline = None;
                self.outputs.push_back(Output::Send(b"late".to_vec()));
            }
            _ => {}
        }
        if let Some((_, outputs)) = self.on.pop_if(|(bytes, _)| self.read.ends_with(bytes)) {
            self.outputs.extend(outputs);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn would_admit(&self, _: &Context, _: Now) -> Result<(), Reason> {
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.open
    }
}

#[derive(Default)]
struct Stands {
    queue: Option<(Arc<Queue>, Consumer)>,
    unread: Option<Unread>,
    /// Where each output that is acted on is a stanza that ends at once.
    receipts: Option<Arc<Receipts>>,
}

impl Side for Stands {
    async fn start_tls(
        &mut self,
        transport: Transport,
        _local: &Domain,
        _remote: &Domain,
    ) -> Result<(Transport, TlsFacts), TlsFault> {
        drop(transport);
        Err(TlsFault::Closed)
    }

    async fn act(
        &mut self,
        _output: Output,
        _mailbox: &Mailbox,
        _now: Instant,
    ) -> Result<(), Reason> {
        drop(self.receipts.as_ref().map(Receipts::received));
        Ok(())
    }

    fn queue(&self) -> Option<(Arc<Queue>, Consumer)> {
        self.queue.clone()
    }

    fn unread(&mut self) -> Option<&mut Unread> {
        self.unread.as_mut()
    }

    fn receipts(&self) -> Option<Arc<Receipts>> {
        self.receipts.clone()
    }
}

fn context() -> Arc<Context> {
    Arc::new(Context {
        rules: crate::proto::policy::Rules::default(),
        anchors: Arc::default(),
        checker: Checker::default(),
        dialback: crate::proto::auth::dialback_key::DialbackSecret::new(&[0; 32]).unwrap(),
        timing: crate::proto::stream::Timing {
            establishment: WRITE_STALL,
            inactivity: WRITE_STALL,
            keep_alive: WRITE_STALL,
        },
        unproven: crate::proto::stream::Unproven::default(),
        max_stanza_bytes: 1,
        max_stanza_depth: 64,
        pairs_per_stream: 64,
        annotate: false,
    })
}

/// A driver that runs, its mailbox, and the other end of its connection.
async fn driven<S: Side + 'static>(
    puppet: Puppet,
    side: S,
) -> (tokio::task::JoinHandle<Ended<S>>, Mailbox, TcpStream) {
    driven_by(puppet, side, watch::channel(context()).1).await
}

/// The same, by rules that may change.
async fn driven_by<S: Side + 'static>(
    puppet: Puppet,
    side: S,
    context: watch::Receiver<Arc<Context>>,
) -> (tokio::task::JoinHandle<Ended<S>>, Mailbox, TcpStream) {
    let (driver, mailbox, theirs) = connected(puppet, side, context).await;
    (tokio::spawn(driver.run()), mailbox, theirs)
}

/// A queue with a consumer, and a lane of it.
fn attended() -> (Arc<Queue>, Domain) {
    let queue = Arc::new(Queue::default());
    queue.attach(7);
    (queue, Domain::parse("partner.example").unwrap())
}

/// A machine that is open, and a side that takes from a queue.
fn takes_from(queue: &Arc<Queue>) -> (Puppet, Stands) {
    let puppet = Puppet {
        open: true,
        ..Puppet::default()
    };
    let side = Stands {
        queue: Some((Arc::clone(queue), 7)),
        ..Stands::default()
    };
    (puppet, side)
}

/// A driver that does not run yet.
async fn connected<S: Side + 'static>(
    puppet: Puppet,
    side: S,
    context: watch::Receiver<Arc<Context>>,
) -> (Driver<Puppet, S>, Mailbox, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mailbox, receiver) = mailbox();
    let ours = ours.unwrap();
    tune(&ours, WRITE_STALL).unwrap();
    let transport = Transport::Clear(Socket::new(ours));
    let driver = Driver::new(
        transport,
        puppet,
        side,
        (mailbox.clone(), receiver),
        context,
    );
    let (theirs, _) = theirs.unwrap();
    (driver, mailbox, theirs)
}

#[tokio::test]
async fn a_stream_whose_key_is_used_up_ends_and_what_it_has_not_written_is_left() {
    let (queue, lane) = attended();
    let (puppet, side) = takes_from(&queue);
    let rules = watch::channel(context()).1;
    let (mut driver, _mailbox, mut other) = connected(puppet, side, rules).await;
    driver.records_left = 3;
    let driver = tokio::spawn(driver.run());
    let mut heard = Vec::new();
    for name in ["m1", "m2", "m3"] {
        assert!(queue.try_push(&lane, queued(name)).is_ok());
        let mut one = [0; 2];
        other.read_exact(&mut one).await.unwrap();
        heard.extend(one);
    }
    assert!(queue.try_push(&lane, queued("m4")).is_ok());
    let ended = driver.await.unwrap();
    assert_eq!(ended.reason, Reason::KeyUsedUp);
    other.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"m1m2m3");
    assert!(ended.left.uncertain.is_empty() && ended.left.untouched.is_empty());
    assert_eq!(queue.drain().len(), 1);
}

#[tokio::test]
async fn everything_before_the_end_is_written_and_then_the_connection_closes() {
    let goodbye = vec![
        Output::Send(b"one ".to_vec()),
        Output::Send(b"two".to_vec()),
        Output::Close(Reason::Finished),
        Output::Send(b"never".to_vec()),
    ];
    let puppet = Puppet {
        on: vec![(b"bye", goodbye)],
        ..Puppet::default()
    };
    let (driver, _mailbox, mut other) = driven(puppet, Stands::default()).await;
    other.write_all(b"bye").await.unwrap();
    let mut heard = String::new();
    other.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "one two");
    assert_eq!(driver.await.unwrap().reason, Reason::Finished);
}

#[tokio::test]
async fn everything_before_tls_is_written_in_the_clear() {
    let domain = Domain::parse("partner.example").unwrap();
    let proceed = vec![
        Output::Send(b"proceed".to_vec()),
        Output::StartTls {
            local: domain.clone(),
            remote: domain,
        },
        Output::Send(b"never".to_vec()),
    ];
    let puppet = Puppet {
        on: vec![(b"starttls", proceed)],
        ..Puppet::default()
    };
    let (driver, _mailbox, mut other) = driven(puppet, Stands::default()).await;
    other.write_all(b"starttls").await.unwrap();
    let mut heard = String::new();
    other.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "proceed");
    let ended = driver.await.unwrap();
    assert!(matches!(ended.reason, Reason::TlsFailed { .. }));
}

#[tokio::test]
async fn what_is_queued_goes_out_once_the_stream_is_open() {
    let (queue, lane) = attended();
    assert!(queue.try_push(&lane, queued("m1")).is_ok());
    let (puppet, side) = takes_from(&queue);
    let (driver, mailbox, mut other) = driven(puppet, side).await;
    let mut heard = [0; 2];
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"m1");
    assert!(queue.try_push(&lane, queued("m2")).is_ok());
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"m2");
    mailbox.end(Reason::Shutdown);
    let ended = driver.await.unwrap();
    assert_eq!(ended.reason, Reason::Shutdown);
    assert!(ended.left.uncertain.is_empty() && ended.left.untouched.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_always_has_something_to_read_still_hears_and_says_all_else() {
    hears_and_says_all_else(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_where_each_read_settles_something() {
    hears_and_says_all_else(Some(Arc::default())).await;
}

async fn hears_and_says_all_else(receipts: Option<Arc<Receipts>>) {
    let queue = Arc::new(Queue::default());
    let lane = Domain::parse("partner.example").unwrap();
    queue.attach(7);
    let (rules, context_of) = watch::channel(context());
    let puppet = Puppet {
        open: true,
        paces: true,
        ..Puppet::default()
    };
    let side = Stands {
        queue: Some((Arc::clone(&queue), 7)),
        receipts,
        ..Stands::default()
    };
    let (driver, mailbox, other) = driven_by(puppet, side, context_of).await;
    let (mut reading, mut writing) = other.into_split();
    let flood = tokio::spawn(async move {
        let piece = [b'x'; 16 << 10];
        while writing.write_all(&piece).await.is_ok() {}
    });
    let mut say = async |word: &[u8]| {
        let mut heard = vec![0; word.len()];
        reading.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, word);
    };
    for _ in 0..100 {
        assert!(queue.try_push(&lane, queued("m1")).is_ok());
        say(b"m1").await;
        rules.send_replace(context());
        mailbox.renew();
        say(b"rules").await;
    }
    mailbox.end(Reason::Shutdown);
    assert_eq!(driver.await.unwrap().reason, Reason::Shutdown);
    flood.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_has_come_is_told_though_there_is_something_to_read() {
    let puppet = Puppet {
        deadline: Some(clock::instant() + NOTICEABLE),
        ..Puppet::default()
    };
    let (driver, mailbox, other) = driven(puppet, Stands::default()).await;
    let (mut reading, mut writing) = other.into_split();
    let flood = tokio::spawn(async move {
        let piece = [b'x'; 16 << 10];
        while writing.write_all(&piece).await.is_ok() {}
    });
    let mut heard = [0; 4];
    reading.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"late");
    mailbox.end(Reason::Shutdown);
    driver.await.unwrap();
    flood.await.unwrap();
}

#[tokio::test]
async fn a_process_that_was_stopped_hears_what_has_come_before_it_sees_what_is_late() {
    let pause = Duration::from_millis(200);
    let puppet = Puppet {
        on: vec![(b"answer", vec![Output::Send(b"heard".to_vec())])],
        deadline: Some(clock::instant() + pause),
        ..Puppet::default()
    };
    let (driver, mailbox, mut other) = driven(puppet, Stands::default()).await;
    // The driver waits for both.
    tokio::task::yield_now().await;
    assert_eq!(other.try_write(b"answer").unwrap(), 6);
    // Here everything stands still, the runtime too.
    std::thread::sleep(2 * pause);
    let mut heard = [0; 9];
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"heardlate");
    mailbox.end(Reason::Shutdown);
    driver.await.unwrap();
}

/// A side that keeps its stream waiting.
struct Slow;

impl Side for Slow {
    async fn start_tls(
        &mut self,
        transport: Transport,
        _local: &Domain,
        _remote: &Domain,
    ) -> Result<(Transport, TlsFacts), TlsFault> {
        drop(transport);
        Err(TlsFault::Closed)
    }

    async fn act(
        &mut self,
        _output: Output,
        _mailbox: &Mailbox,
        _now: Instant,
    ) -> Result<(), Reason> {
        std::future::pending().await
    }

    fn queue(&self) -> Option<(Arc<Queue>, Consumer)> {
        None
    }
}

#[tokio::test]
async fn what_is_answered_is_written_before_the_next_element_is_paid_for() {
    let answers = vec![
        Output::Send(b"one".to_vec()),
        Output::Pace,
        Output::Send(b"two".to_vec()),
    ];
    let puppet = Puppet {
        on: vec![(b"ask", answers)],
        ..Puppet::default()
    };
    let (_driver, _mailbox, mut other) = driven(puppet, Slow).await;
    other.write_all(b"ask").await.unwrap();
    let mut heard = [0; 64];
    let count = other.read(&mut heard).await.unwrap();
    assert_eq!(&heard[..count], b"one");
}

#[tokio::test]
async fn who_is_told_to_go_at_once_says_no_goodbye() {
    let goodbye = vec![
        Output::Send(vec![b'x'; 32 << 20]),
        Output::Close(Reason::Finished),
    ];
    let puppet = Puppet {
        on: vec![(b"bye", goodbye)],
        ..Puppet::default()
    };
    let (driver, mailbox, mut other) = driven(puppet, Stands::default()).await;
    other.write_all(b"bye").await.unwrap();
    // Nobody reads the last words.
    let mut first = [0; 1];
    other.read_exact(&mut first).await.unwrap();
    let begun = Instant::now();
    mailbox.abort();
    driver.await.unwrap();
    assert!(begun.elapsed() < GOODBYE / 2);
}

/// How much stands in the system's buffer, in bytes, while a program reads 1 MB a second and more waits: in nine of ten
/// moments no more than this.
#[cfg(target_os = "linux")]
async fn mostly_unread(is_link: bool) -> u64 {
    let queue = Arc::new(Queue::default());
    let lane = Domain::parse("partner.example").unwrap();
    queue.attach(7);
    let id = "x".repeat(1_000);
    let puppet = Puppet {
        open: true,
        ..Puppet::default()
    };
    let side = Stands {
        queue: Some((Arc::clone(&queue), 7)),
        unread: is_link.then(|| Unread::begin(clock::instant())),
        ..Stands::default()
    };
    let (_driver, _mailbox, mut other) = driven(puppet, side).await;
    let (mut piece, mut unread) = ([0; 2_000], Vec::new());
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    for _ in 0..1_000 {
        while queue.push_now(&lane, queued(&id)).is_ok() {}
        pace.tick().await;
        unread.push(rustix::io::ioctl_fionread(&other).unwrap());
        other.read_exact(&mut piece).await.unwrap();
    }
    // The first burst has filled the buffer.
    let mut usual = unread.split_off(300);
    usual.sort_unstable();
    usual[usual.len() * 9 / 10]
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_gateway_that_reads_slowly_finds_little_to_read() {
    let (link, stream) = tokio::join!(mostly_unread(true), mostly_unread(false));
    assert!(link < 64 << 10, "{link}");
    assert!(link < stream * 3 / 4, "{link}, {stream}");
}

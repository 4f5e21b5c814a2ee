//! What stands between the edge and the others, and fails: it passes bytes on, stalls, and cuts.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

/// What it holds in a direction at most, but for what the system rounds up.
const HELD: u32 = 8 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Nothing gets through, and nobody hears of it.
    Hole,
    /// Both ends hear a reset.
    Cut,
}

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    lines: Arc<Mutex<Vec<watch::Sender<Way>>>>,
}

impl Proxy {
    /// Passes on what comes, for as long as the runtime lives.
    pub(super) async fn start(target: SocketAddr) -> Self {
        let socket = small();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::<Mutex<Vec<watch::Sender<Way>>>>::default();
        let living = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (line, state) = watch::channel(Way::Open);
                living.lock().unwrap().push(line);
                tokio::spawn(async move {
                    if let Ok(far) = small().connect(target).await {
                        Box::pin(pass(near, far, state)).await;
                    }
                });
            }
        });
        Self { address, lines }
    }

    /// Cuts all connections that are there.
    pub(super) fn cut(&self) {
        self.set(Way::Cut);
    }

    /// Lets nothing through on those that are there; newer ones are as they should be.
    pub(super) fn hole(&self) {
        self.set(Way::Hole);
    }

    /// Lets everything through again.
    pub(super) fn heal(&self) {
        self.set(Way::Open);
    }

    /// How many connections were there.
    pub(super) fn count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    fn set(&self, way: Way) {
        for line in self.lines.lock().unwrap().iter() {
            line.send_if_modified(|now| {
                let changes = *now != way && *now != Way::Cut;
                if changes {
                    *now = way;
                }
                changes
            });
        }
    }
}

/// A socket that holds little. That must be said before there is a connection: what is on its way then fits.
fn small() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(HELD).unwrap();
    socket.set_send_buffer_size(HELD).unwrap();
    socket
}

async fn pass(mut near: TcpStream, mut far: TcpStream, mut state: watch::Receiver<Way>) {
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
    }
    let whole = {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        let there = pump(near_in, far_out, state.clone());
        let back = pump(far_in, near_out, state.clone());
        tokio::select! {
            done = async { tokio::try_join!(there, back) } => done.is_ok(),
            _ = state.wait_for(|way| *way == Way::Cut) => false,
        }
    };
    if !whole {
        for stream in [&near, &far] {
            SockRef::from(stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        }
    }
}

async fn pump(
    mut source: ReadHalf<'_>,
    mut sink: WriteHalf<'_>,
    mut state: watch::Receiver<Way>,
) -> std::io::Result<()> {
    let mut piece = [0; 4 << 10];
    loop {
        let mut open = async || state.wait_for(|way| *way == Way::Open).await.is_ok();
        if !open().await {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let count = source.read(&mut piece).await?;
        // It may be a hole by now.
        if !open().await {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        if count == 0 {
            return sink.shutdown().await;
        }
        sink.write_all(&piece[..count]).await?;
    }
}

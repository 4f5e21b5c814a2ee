//! What the system knows of a connection: how much the other side has room for, and what is on its way to it.

use std::time::Duration;

use tokio::net::TcpStream;

/// What the system knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// For how many bytes the other side has room, as it said last.
    pub room: u64,
    /// How many bytes were sent, and are not acknowledged.
    pub in_flight: u64,
    /// How many bytes were taken over, and are not sent.
    pub unsent: u64,
    /// The shortest round trip.
    pub round_trip: Duration,
}

/// Asks the system; nothing, where it does not say.
#[cfg(target_os = "linux")]
pub(super) fn look(stream: &TcpStream) -> Option<Window> {
    let info = tcp_info(stream)?;
    let left = info.tcpi_bytes_sent.saturating_sub(info.tcpi_bytes_retrans);
    Some(Window {
        room: info.tcpi_snd_wnd.into(),
        in_flight: left.saturating_sub(info.tcpi_bytes_acked),
        unsent: info.tcpi_notsent_bytes.into(),
        round_trip: Duration::from_micros(info.tcpi_min_rtt.into()),
    })
}

/// No other system is asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn look(_: &TcpStream) -> Option<Window> {
    None
}

/// `TCP_INFO`, of tcp(7), where this kernel's has the window (Linux 5.4).
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "rustix and socket2 do not know `TCP_INFO`; nix panics where the kernel's is shorter"
)]
fn tcp_info(stream: &TcpStream) -> Option<libc::tcp_info> {
    use std::mem::{MaybeUninit, offset_of};
    use std::os::fd::AsRawFd as _;

    const NEEDED: usize = offset_of!(libc::tcp_info, tcpi_snd_wnd) + size_of::<u32>();

    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of_val(&info).try_into().ok()?;
    // SAFETY: the descriptor is open for as long as `stream` is borrowed. The kernel writes at most `length` bytes,
    // which is the size of `info`, and says in `length` how many. All fields are integers, for which zeros are values,
    // so what it does not write is valid, too.
    let (result, info) = unsafe {
        let result = libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        );
        (result, info.assume_init())
    };
    let has_all = usize::try_from(length).is_ok_and(|length| length >= NEEDED);
    (result == 0 && has_all).then_some(info)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// Looks until it is so.
    async fn until(stream: &TcpStream, is_so: impl Fn(Window) -> bool) -> Option<Window> {
        let looking = async {
            loop {
                let window = look(stream)?;
                if is_so(window) {
                    return Some(window);
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(20), looking).await.ok()?
    }

    #[tokio::test]
    async fn what_is_not_read_shows_in_the_window_and_is_gone_when_it_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (theirs, ours) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut theirs, mut ours) = (theirs.unwrap(), ours.unwrap().0);
        // A little first: the system widens the window when it knows what comes.
        let mut all = vec![b'x'; 32 << 10];
        ours.write_all(&all).await.unwrap();
        theirs.read_exact(&mut all).await.unwrap();
        let open = until(&ours, |it| it.in_flight == 0).await.unwrap();
        assert_eq!(open.unsent, 0);
        assert!(open.round_trip < Duration::from_secs(20));
        // As much as it has room for, and more.
        while timeout(Duration::from_millis(200), ours.write(&all))
            .await
            .is_ok()
        {}
        let full = until(&ours, |it| it.in_flight == 0).await.unwrap();
        assert!(full.room + (32 << 10) < open.room, "{full:?}, {open:?}");
        assert!(full.unsent > 0, "{full:?}");
        let reading = async { while theirs.read_exact(&mut all).await.is_ok() {} };
        tokio::select! {
            () = reading => {}
            empty = until(&ours, |it| it.unsent == 0 && it.in_flight == 0) => {
                let empty = empty.unwrap();
                assert!(empty.room > full.room, "{empty:?}, {full:?}");
            }
        }
    }
}

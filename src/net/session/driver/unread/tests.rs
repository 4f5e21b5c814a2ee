use super::*;

const MILLI: Duration = Duration::from_millis(1);
const BATCH: usize = 16 << 10;
const STANZA: usize = 200;

/// A gateway that reads so many bytes a millisecond, and has this buffer.
struct Reader {
    rate: u64,
    buffer: u64,
    unread: u64,
    /// For how much there was room when it was told last.
    told: u64,
    read: u64,
}

impl Reader {
    fn new(rate: u64, buffer: u64) -> Self {
        Self {
            rate,
            buffer,
            unread: 0,
            told: buffer,
            read: 0,
        }
    }

    fn gets(&mut self, bytes: usize) {
        self.unread += bytes as u64;
        self.told = self.room();
    }

    fn room(&self) -> u64 {
        self.buffer.saturating_sub(self.unread)
    }

    /// Reads for a millisecond. As Linux does it, no wider window is told before it is twice as wide.
    fn reads(&mut self) {
        let bytes = self.rate.min(self.unread);
        self.unread -= bytes;
        self.read += bytes;
        if self.told * 2 <= self.room() {
            self.told = self.room();
        }
    }

    fn window(&self) -> Window {
        Window {
            room: self.told,
            round_trip: MILLI / 10,
            ..Window::default()
        }
    }
}

/// What is unread at the end of each millisecond, with a link that always has something to take.
fn flood(reader: &mut Reader, unread: &mut Unread, (begin, millis): (Instant, u32)) -> Vec<u64> {
    let one = |milli| {
        let now = begin + milli * MILLI;
        // A window that is too narrow keeps some of it in the socket.
        while reader.room() >= BATCH as u64 {
            if unread.held_until(now, || Some(reader.window())).is_some() {
                break;
            }
            let batch = unread.batch().max(STANZA);
            unread.took(batch, now);
            reader.gets(batch);
        }
        if reader.room() < BATCH as u64 {
            unread.blocked(now);
        }
        reader.reads();
        reader.unread
    };
    (0..millis).map(one).collect()
}

#[test]
fn a_link_whose_socket_takes_all_asks_once_a_second() {
    let begin = Instant::now();
    let mut unread = Unread::begin(begin);
    let mut looks = 0;
    for milli in 0..2_000 {
        let now = begin + milli * MILLI;
        let narrow = || {
            looks += 1;
            Some(Window::default())
        };
        assert_eq!(unread.held_until(now, narrow), None);
        unread.took(BATCH, now);
    }
    assert_eq!(looks, 2);
}

#[test]
fn a_slow_reader_has_little_to_read_and_is_never_without() {
    for rate in [500, 1_000, 2_000] {
        let begin = Instant::now();
        let (mut reader, mut unread) = (Reader::new(rate, 96 << 10), Unread::begin(begin));
        // The first burst fills its buffer.
        flood(&mut reader, &mut unread, (begin, 1_000));
        let before = reader.read;
        let mut waiting = flood(&mut reader, &mut unread, (begin + 1_000 * MILLI, 10_000));
        let share = (reader.read - before) as f64 / (rate * 10_000) as f64;
        waiting.sort_unstable();
        let usual = waiting[waiting.len() / 2];
        assert!(share > 0.97, "{rate}: {share}");
        assert!(usual < LITTLE + BATCH as u64, "{rate}: {usual}");
    }
}

/// A window that widens is believed for as long as that takes.
#[test]
fn a_very_slow_reader_has_little_to_read_in_the_end_however_much_it_had() {
    for (rate, buffer) in [
        (200, 96 << 10),
        (200, 512 << 10),
        (50, 96 << 10),
        (30, 256 << 10),
    ] {
        let begin = Instant::now();
        let (mut reader, mut unread) = (Reader::new(rate, buffer), Unread::begin(begin));
        // At 3/4 of its rate, it has read all of it but little after so long.
        let millis = u32::try_from(5 * buffer / rate).unwrap();
        flood(&mut reader, &mut unread, (begin, millis));
        let later = begin + millis * MILLI;
        let before = reader.read;
        let mut waiting = flood(&mut reader, &mut unread, (later, 20_000));
        let share = (reader.read - before) as f64 / (rate * 20_000) as f64;
        waiting.sort_unstable();
        let usual = waiting[waiting.len() / 2];
        assert!(share > 0.97, "{rate}, {buffer}: {share}");
        assert!(usual < LITTLE + BATCH as u64, "{rate}, {buffer}: {usual}");
    }
}

#[test]
fn who_reads_at_once_what_comes_is_not_held() {
    let now = Instant::now();
    let mut unread = Unread::begin(now);
    unread.blocked(now);
    for batch in 0..1_000 {
        let now = now + batch * MILLI / 10;
        // It reads 16 KiB every 0.1 ms, and its program looks up every 3 ms.
        let waiting = u64::from(batch % 30) * BATCH as u64;
        let room = (1 << 20) - waiting;
        let window = Window {
            room,
            ..Window::default()
        };
        let held = unread.held_until(now, || Some(window));
        // Until it is known how much that is a millisecond.
        assert!(batch < 600 || held.is_none(), "{batch}");
        unread.took(BATCH, now);
    }
}

#[test]
fn a_window_that_stays_narrow_is_believed_in_the_end() {
    let begin = Instant::now();
    let mut unread = Unread::begin(begin);
    unread.blocked(begin);
    let mut took = Vec::new();
    for milli in 0..10_000 {
        let now = begin + milli * MILLI;
        let room = if milli < 100 { 256 << 10 } else { 64 << 10 };
        let window = Window {
            room,
            ..Window::default()
        };
        if unread.held_until(now, || Some(window)).is_none() {
            unread.took(BATCH, now);
            took.push(milli);
        }
    }
    let pauses = took.windows(2).map(|two| (two[1] - two[0]) * MILLI);
    assert!(pauses.max().unwrap() <= LONGEST + LOOK_EACH);
    // It took in each millisecond, and does so again.
    let again = took.iter().rev().take_while(|milli| **milli > 5_000);
    assert_eq!(again.count(), 4_999);
}

/// A system that has once had no memory for more widens its window again by little, with each piece that comes.
#[test]
fn who_has_read_all_is_soon_free_though_its_window_creeps() {
    let begin = Instant::now();
    let mut unread = Unread::begin(begin);
    unread.blocked(begin);
    let mut room = 400 << 10;
    let mut took = 0;
    for milli in 0..5_000 {
        let now = begin + milli * MILLI;
        if milli == 100 {
            room = 64 << 10;
        }
        let window = Window {
            room,
            ..Window::default()
        };
        if unread.held_until(now, || Some(window)).is_none() {
            unread.took(unread.batch(), now);
            room = (room + (1 << 10)).min(400 << 10);
            took += usize::from(milli >= 4_000);
        }
    }
    assert_eq!(took, 1_000);
}

#[test]
fn a_window_that_was_never_wide_holds_nobody() {
    let now = Instant::now();
    let held = |widest| {
        let mut unread = Unread::begin(now);
        let window = |room| {
            Some(Window {
                room,
                ..Window::default()
            })
        };
        assert_eq!(unread.held_until(now, || window(widest)), None);
        unread.blocked(now);
        unread.took(BATCH, now);
        unread.held_until(now, || window(0)).is_some()
    };
    assert!(!held(NARROW - 1));
    assert!(held(NARROW));
}

#[test]
fn what_is_on_its_way_counts_where_the_way_is_short() {
    let now = Instant::now();
    let held = |round_trip, unsent| {
        let mut unread = Unread::begin(now);
        unread.blocked(now);
        unread.took(BATCH, now);
        let window = Window {
            room: 1 << 20,
            in_flight: 2 * LITTLE,
            unsent,
            round_trip,
        };
        unread.held_until(now, || Some(window)).is_some()
    };
    assert!(held(MILLI, 0));
    assert!(!held(20 * MILLI, 0));
    assert!(held(20 * MILLI, LITTLE));
}

#[test]
fn where_nothing_is_known_nothing_is_held() {
    let now = Instant::now();
    let mut unread = Unread::begin(now);
    unread.blocked(now);
    unread.took(1 << 20, now);
    assert_eq!(unread.held_until(now, || None), None);
}

//! A file: its lines, read with bounds.

use super::line::{Head, Line, Tail, Why};
use super::{MAX_BYTES, MAX_LINE, VERSION};

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The first line.
    pub head: Head,
    /// What happened, in the order in which it was written down; each with its line in the file.
    pub lines: Vec<(usize, Line)>,
    /// The last line; `None` where the file was cut.
    pub end: Option<Why>,
}

/// Why a file is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTrace {
    /// It does not begin as one.
    #[error("the first line is not that of a trace")]
    NotOne,
    /// It is of a version that is not known here.
    #[error("it is of version {0} of the format, and this program knows {VERSION}")]
    Newer(u32),
    /// It is too long.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    /// A line is none of a trace.
    #[error("line {number} is not one of a trace: {problem}")]
    BadLine {
        /// Which one.
        number: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Trace {
    /// Reads a file. A last line that is not whole is overlooked: whoever wrote it was stopped.
    ///
    /// # Errors
    /// [`NoTrace`].
    pub fn read(text: &[u8]) -> Result<Self, NoTrace> {
        if text.len() > MAX_BYTES {
            return Err(NoTrace::TooLong);
        }
        let is_whole = text.ends_with(b"\n");
        let mut all = text.split(|byte| *byte == b'\n').enumerate().peekable();
        let first = all.next().map_or(&[][..], |(_, line)| line);
        let head: Head = serde_json::from_slice(first).map_err(|_| NoTrace::NotOne)?;
        if head.format != VERSION {
            return Err(NoTrace::Newer(head.format));
        }
        let (mut lines, mut end) = (Vec::new(), None);
        while let Some((index, line)) = all.next() {
            let number = index + 1;
            if line.is_empty() {
                continue;
            }
            let bad = |problem: String| NoTrace::BadLine { number, problem };
            if line.len() > MAX_LINE {
                return Err(bad(format!("it has more than {MAX_LINE} bytes")));
            }
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => lines.push((number, line)),
                Err(error) => match serde_json::from_slice::<Tail>(line) {
                    Ok(tail) => end = Some(tail.end),
                    Err(_) if all.peek().is_none() && !is_whole => break,
                    Err(_) => return Err(bad(error.to_string())),
                },
            }
        }
        Ok(Self { head, lines, end })
    }
}

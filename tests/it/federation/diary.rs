//! What a side has received, and a way to wait for it.

use std::sync::Mutex;

use tokio::sync::watch;
use tokio::time::timeout;

use super::wire::PATIENCE;

#[derive(Default)]
pub(crate) struct Diary {
    lines: Mutex<Vec<String>>,
    written: watch::Sender<usize>,
}

impl Diary {
    pub(crate) fn write(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap();
        lines.push(line.to_owned());
        self.written.send_replace(lines.len());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until so many lines are there.
    pub(crate) async fn reached(&self, count: usize) {
        let mut written = self.written.subscribe();
        let reached = timeout(PATIENCE, written.wait_for(|lines| *lines >= count)).await;
        reached.expect("too few lines").unwrap();
    }

    /// Waits for a line with all of `parts` in it.
    pub(crate) async fn find(&self, parts: &[&str]) -> String {
        let mut written = self.written.subscribe();
        let found = async {
            loop {
                let lines = self.lines();
                let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
                if let Some(line) = lines.iter().find(has_all) {
                    return line.clone();
                }
                written.changed().await.unwrap();
            }
        };
        match timeout(PATIENCE, found).await {
            Ok(line) => line,
            Err(_) => {
                let lines = self.lines();
                let last: Vec<_> = lines.iter().rev().take(20).collect();
                panic!(
                    "no {parts:?} in {} lines, the last of them {last:#.300?}",
                    lines.len()
                )
            }
        }
    }
}

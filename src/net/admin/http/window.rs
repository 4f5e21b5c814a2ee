//! What all who look see: read once for all who look at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::metrics::{self, Form};
use super::page;
use super::trends::{self, Trends};
use crate::net::admin::desk::{Desk, Figures};
use crate::net::io::clock;
use crate::proto::jid::Domain;

/// What was read lately is shown again.
const FRESH: Duration = Duration::from_millis(250);

/// What is shown.
#[derive(Debug)]
pub(super) struct Window {
    desk: Arc<Desk>,
    trends: Arc<Trends>,
    /// Held while something is read or written out: one at a time, however many ask.
    seen: Mutex<Option<(Instant, Arc<Figures>)>>,
}

impl Window {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Self {
            desk,
            trends: Arc::default(),
            seen: Mutex::default(),
        }
    }

    /// All that is measured; `None` where that fails.
    pub(super) async fn figures(&self) -> Option<Arc<Figures>> {
        let mut seen = self.seen.lock().await;
        self.look(&mut seen).await
    }

    async fn look(&self, seen: &mut Option<(Instant, Arc<Figures>)>) -> Option<Arc<Figures>> {
        let now = clock::instant();
        if let Some((when, figures)) = seen
            && now.saturating_duration_since(*when) < FRESH
        {
            return Some(Arc::clone(figures));
        }
        let desk = Arc::clone(&self.desk);
        let figures = Arc::new(spawn_blocking(move || desk.figures()).await.ok()?);
        *seen = Some((clock::instant(), Arc::clone(&figures)));
        Some(figures)
    }

    /// The page with everything on it.
    pub(super) async fn overview(&self) -> Option<Bytes> {
        let mut seen = self.seen.lock().await;
        let figures = self.look(&mut seen).await?;
        let trends = Arc::clone(&self.trends);
        let html = spawn_blocking(move || page::overview(&figures.status, &trends));
        Some(html.await.ok()?.into())
    }

    /// The page of one domain, and whether there is anything on it.
    pub(super) async fn partner(&self, domain: &Domain) -> Option<(StatusCode, Bytes)> {
        let _one_at_a_time = self.seen.lock().await;
        let (desk, domain) = (Arc::clone(&self.desk), domain.clone());
        let trends = Arc::clone(&self.trends);
        let page = spawn_blocking(move || {
            let live = desk.live(&domain);
            let status = match live.rule.covered.as_str() {
                "unknown" | "local" => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            (status, page::partner(&live, &trends))
        });
        let (status, html) = page.await.ok()?;
        Some((status, html.into()))
    }

    /// The metrics.
    pub(super) async fn metrics(&self, form: Form) -> Option<Bytes> {
        let mut seen = self.seen.lock().await;
        let figures = self.look(&mut seen).await?;
        let text = spawn_blocking(move || metrics::render(&figures, form));
        Some(text.await.ok()?.into())
    }

    /// What `status --format json` prints.
    pub(super) async fn status(&self) -> Option<Bytes> {
        let _one_at_a_time = self.seen.lock().await;
        let desk = Arc::clone(&self.desk);
        let json = spawn_blocking(move || serde_json::to_vec_pretty(&desk.status()));
        let mut json = json.await.ok()?.ok()?;
        json.push(b'\n');
        Some(json.into())
    }
}

/// Counts one step after the other.
pub(super) async fn keep(window: Arc<Window>) {
    let mut tick = interval(trends::STEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(figures) = window.figures().await {
            window.trends.note(&figures.counted);
        }
    }
}

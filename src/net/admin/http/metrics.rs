//! What machines scrape: OpenMetrics, and the older form of Prometheus for whoever knows no other.
//!
//! [`FAMILIES`] has every metric, with what it is filled from: [`Figures`], which are what `status` says.
//! Labels are bounded, because nothing that a peer sends becomes one: entries of the partner file, local
//! domains, and words of ours.

mod families;
mod sink;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use self::sink::Sink;
use crate::net::admin::desk::Figures;

pub use families::FAMILIES;

/// What an answer is.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The same in the older form.
pub const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text form of Prometheus before it.
    Plain,
}

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows while the process lives.
    Counter,
    /// It is what it is at the moment.
    Gauge,
    /// It says how often something took how long.
    Histogram,
}

impl Kind {
    /// The word on the page about metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// In what it is measured, where it is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// In seconds; a moment in Unix time.
    Seconds,
    /// In bytes.
    Bytes,
}

/// One metric.
#[derive(Clone, Copy)]
pub struct Family {
    /// Its name, without what unit and kind add to it.
    stem: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// In what it is measured.
    pub measure: Option<Measure>,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    fill: fn(&Figures, &mut Sink<'_, '_>) -> fmt::Result,
}

impl Family {
    /// The name under which it is queried; of a histogram, without `_bucket`, `_sum` or `_count`.
    #[must_use]
    pub fn name(&self) -> String {
        let unit = match self.measure {
            Some(Measure::Seconds) => "_seconds",
            Some(Measure::Bytes) => "_bytes",
            None => "",
        };
        let total = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{unit}{total}", self.stem)
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Writes all metrics.
#[must_use]
pub fn render(figures: &Arc<Figures>, form: Form) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(All(Arc::clone(figures))));
    let mut text = String::new();
    // Writing to a String does not fail.
    encode(&mut text, &registry).unwrap_or_default();
    match form {
        Form::OpenMetrics => text,
        Form::Plain => plain(&text),
    }
}

#[derive(Debug)]
struct All(Arc<Figures>);

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in FAMILIES {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let unit = family.measure.map(|measure| match measure {
                Measure::Seconds => Unit::Seconds,
                Measure::Bytes => Unit::Bytes,
            });
            let mut metric =
                encoder.encode_descriptor(family.stem, family.help, unit.as_ref(), kind)?;
            (family.fill)(&self.0, &mut Sink::new(&mut metric))?;
        }
        Ok(())
    }
}

/// The older form: it knows neither units nor an end, and a counter bears its whole name everywhere.
fn plain(text: &str) -> String {
    let is_counter = |name: &str| {
        let counters = FAMILIES.iter().filter(|it| it.kind == Kind::Counter);
        counters
            .clone()
            .any(|it| it.name().strip_suffix("_total") == Some(name))
    };
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if is_counter(name) => {
                plain.push_str(&format!("# {what} {name}_total {rest}\n"));
            }
            _ => {
                plain.push_str(line);
                plain.push('\n');
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_a_name_of_its_own_and_a_sentence() {
        let mut names: Vec<_> = FAMILIES.iter().map(Family::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FAMILIES.len());
        for family in FAMILIES {
            assert!(family.stem.starts_with("xmpp_edge_"), "{family:?}");
            assert!(family.help.ends_with('.'), "{family:?}");
            // What is written into the text has no quotes of its own.
            assert!(!family.help.contains(['\n', '\\', '"', '|']), "{family:?}");
        }
    }

    #[test]
    fn the_older_form_has_the_whole_names_of_counters_and_no_units() {
        let open = "# HELP xmpp_edge_reasons How often.\n# TYPE xmpp_edge_reasons counter\n\
                    xmpp_edge_reasons_total{reason=\"a\"} 1\n\
                    # HELP xmpp_edge_queue_bytes B.\n# TYPE xmpp_edge_queue_bytes gauge\n\
                    # UNIT xmpp_edge_queue_bytes bytes\nxmpp_edge_queue_bytes 1\n# EOF\n";
        let want = "# HELP xmpp_edge_reasons_total How often.\n\
                    # TYPE xmpp_edge_reasons_total counter\n\
                    xmpp_edge_reasons_total{reason=\"a\"} 1\n\
                    # HELP xmpp_edge_queue_bytes B.\n# TYPE xmpp_edge_queue_bytes gauge\n\
                    xmpp_edge_queue_bytes 1\n";
        assert_eq!(plain(open), want);
    }
}

//! Where the samples of one metric go.

use std::fmt;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

use crate::ops::measures::{BOUNDS, Distribution};

/// Labels of a sample, with their values.
pub(super) type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

/// Takes the samples of one metric.
pub(super) struct Sink<'a, 'e>(&'a mut MetricEncoder<'e>);

impl<'a, 'e> Sink<'a, 'e> {
    pub(super) fn new(encoder: &'a mut MetricEncoder<'e>) -> Self {
        Self(encoder)
    }

    pub(super) fn counter<const N: usize>(
        &mut self,
        labels: Labels<'_, N>,
        value: u64,
    ) -> fmt::Result {
        self.of(&labels, |sample| {
            sample.encode_counter::<NoLabelSet, u64, f64>(&value, None)
        })
    }

    pub(super) fn gauge<const N: usize>(
        &mut self,
        labels: Labels<'_, N>,
        value: u64,
    ) -> fmt::Result {
        self.of(&labels, |sample| sample.encode_gauge(&value))
    }

    /// What is not known is no number.
    pub(super) fn known<const N: usize>(
        &mut self,
        labels: Labels<'_, N>,
        value: Option<u64>,
    ) -> fmt::Result {
        match value {
            Some(value) => self.gauge(labels, value),
            None => self.of(&labels, |sample| sample.encode_gauge(&f64::NAN)),
        }
    }

    pub(super) fn histogram<const N: usize>(
        &mut self,
        labels: Labels<'_, N>,
        value: &Distribution,
    ) -> fmt::Result {
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound));
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(value.buckets).collect();
        let (sum, count) = (seconds(value.sum), value.count());
        self.of(&labels, |sample| {
            sample.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    /// A sample without labels has no braces.
    fn of<const N: usize>(
        &mut self,
        labels: &Labels<'_, N>,
        encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        match N {
            0 => encode(self.0),
            _ => encode(&mut self.0.encode_family(labels)?),
        }
    }
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

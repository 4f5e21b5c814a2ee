//! The desk of the administrator: one Unix socket, lines of JSON, reports of what the edge knows.
//!
//! Read first: [`protocol`] (what is said), then [`serve`] (who may say it, and for how long), then
//! [`desk`] (where the answers come from). Beside it [`http`] shows the same to people who look and to
//! machines that scrape.

pub mod client;
pub mod contacts;
pub mod desk;
pub mod http;
mod moment;
pub mod nearest;
pub mod preview;
pub mod protocol;
mod render;
pub mod report;
pub mod serve;
mod socket;
mod steps;
mod trace;

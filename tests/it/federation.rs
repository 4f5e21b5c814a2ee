//! Policy on the wire: a running edge between a gateway and scripted partners, on loopback.

mod continuity;
pub(crate) mod diary;
mod methods;
pub(crate) mod partner;
mod reload;
mod sequences;
pub(crate) mod stage;
mod stanzas;
pub(crate) mod wire;

//! What the fuzz targets share: oracles for XML, and a world for the machines to live in.
//!
//! Each target asserts what must hold whatever comes; `run` builds and runs them.

pub mod machine;
pub mod world;
pub mod xml;

#[path = "../../pki/mod.rs"]
pub mod pki;

//! Admission control before authentication: places, handshakes, dialback verifications. What peers that have
//! proven nothing may take.

pub mod admission;
pub mod handshakes;
pub mod places;
pub mod signatures;
pub mod verifications;

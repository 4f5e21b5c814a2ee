//! What must not outlive the process: its memory holds keys and messages.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Has the system write no core dump of this process, whatever it dies of.
///
/// # Errors
/// The system refuses; it never does so to who asks for less.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}

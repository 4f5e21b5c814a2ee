//! The command: arguments in, exit status out. Everything else is in the library.

use std::process::ExitCode;

/// jemalloc, for one reason: it gives memory back.
///
/// A crowd of strangers leaves its buffers scattered over the heap. Measured with 5,000 half-open
/// streams that came and went, the system's allocator kept 60 MiB of 94, for good; jemalloc, with
/// the [`SETTINGS`], was back at 16 MiB within two seconds. The daemon's memory is an alarm for its operator, so it must fall when the crowd goes.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Freed memory goes back to the system within a second, also when nothing more is allocated.
///
/// jemalloc reads these settings under this name before `main` begins. They stand in the program, so
/// that every build of it has them.
#[expect(
    unsafe_code,
    reason = "a static of this name and type is how jemalloc takes settings"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static SETTINGS: &[u8; 60] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

fn main() -> ExitCode {
    xmpp_edge::cli::main()
}

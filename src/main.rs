//! The command: arguments in, exit status out. Everything else is in the library.

use std::process::ExitCode;

/// jemalloc, for one reason: it gives memory back.
///
/// A crowd of strangers leaves its buffers scattered over the heap. Measured with 5,000 half-open
/// streams that came and went, the system's allocator kept 60 MiB of 94, for good; jemalloc, with
/// a background thread and the decay that `.cargo/config.toml` sets, was back at 16 MiB within two
/// seconds. The daemon's memory is an alarm for its operator, so it must fall when the crowd goes.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    xmpp_edge::cli::main()
}

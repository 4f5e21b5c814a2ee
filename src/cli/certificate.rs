//! `xmpp-edge certificate`: asks for a certificate, and says what one is worth.

mod inspect;
mod request;
mod shown;

use clap::Subcommand;

use super::Exit;

pub(super) use shown::Shown;

/// Ask for a certificate, or look at one
///
/// `request` makes a key and a request that names each local domain. `inspect` says what a
/// certificate names, how long it is valid, whether its chain and its key are right, and by which
/// pin a partner may recognise it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Request(request::Arguments),
    Inspect(inspect::Arguments),
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    match &arguments.action {
        Action::Request(arguments) => request::run(arguments),
        Action::Inspect(arguments) => inspect::run(arguments),
    }
}

//! Everything that runs: a name server, and for each domain an edge with a gateway.

use std::path::Path;

use tempfile::TempDir;

use super::authority::{Authority, Validity};
use super::cast::{OUR_USER, OURS, PARTNERS, Role};
use super::edge::DemoEdge;
use super::files::{self, EdgeFiles};
use super::gateway::Gateway;
use super::names::NameServer;
use super::trouble::{During, Trouble};

/// The stage, set; its directory goes when it is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) ours: Actor,
    /// In the order of [`PARTNERS`].
    pub(super) partners: Vec<(&'static Role, Actor)>,
    directory: TempDir,
}

/// A domain: its edge, and the gateway in which its user lives.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) domain: &'static str,
    pub(super) address: String,
    pub(super) files: EdgeFiles,
    pub(super) edge: DemoEdge,
    /// None while one of the user's own is there (`--keep`).
    pub(super) gateway: Option<Gateway>,
}

impl Stage {
    pub(super) async fn set() -> Result<Self, Trouble> {
        let directory = tempfile::Builder::new()
            .prefix("xmpp-edge-demo-")
            .tempdir()
            .during("making a directory")?;
        let within = directory.path();
        let names = NameServer::start().await?;
        let authority = Authority::new()?;
        files::public(&within.join("authority.pem"), &authority.pem)?;
        let files = files::ours(within, &authority, names.address)?;
        let ours = Actor::enter(OURS, OUR_USER, files, Validity::Current, &names).await?;
        let mut partners = Vec::new();
        for role in PARTNERS {
            let files = files::theirs(within, &authority, names.address, role)?;
            let actor = Actor::enter(role.domain, role.user, files, role.validity, &names).await?;
            partners.push((role, actor));
        }
        Ok(Self {
            ours,
            partners,
            directory,
        })
    }

    /// Where all files are.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops every edge in good order, all at once: they close streams with each other.
    pub(super) async fn clear(self) {
        let actors = self.partners.into_iter().map(|(_, actor)| actor);
        let leaving: Vec<_> = std::iter::once(self.ours)
            .chain(actors)
            .map(|actor| tokio::spawn(actor.edge.stop()))
            .collect();
        for left in leaving {
            // A panic would have ended the process, or is shown by now.
            left.await.unwrap_or_default();
        }
    }
}

impl Actor {
    async fn enter(
        domain: &'static str,
        user: &str,
        files: EdgeFiles,
        validity: Validity,
        names: &NameServer,
    ) -> Result<Self, Trouble> {
        let edge = DemoEdge::start(files.config(), validity).await?;
        names.publish(domain, edge.s2s)?;
        let gateway = Gateway::connect(edge.gateway, domain, &files.secret).await?;
        Ok(Self {
            domain,
            address: format!("{user}@{domain}"),
            files,
            edge,
            gateway: Some(gateway),
        })
    }
}

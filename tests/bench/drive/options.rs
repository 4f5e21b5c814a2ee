//! What the driver is asked for, and the keys and certificates of all.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::pki::{self, Authority, Identity, Leaf};
use crate::tls::Tls;

/// The domain of the system under test.
pub const DOMAIN: &str = "contoso.example";

pub struct Options {
    directory: PathBuf,
    /// Where the system takes streams of partners, and where its gateway connects to.
    pub s2s: SocketAddr,
    pub link: SocketAddr,
    /// Where the system finds the server of every partner.
    pub server: SocketAddr,
    pub streams: usize,
    pub partners: usize,
    /// Bytes of a message's body.
    pub body: usize,
    /// Stanzas in one write of a partner, which is one TLS record where it has room; 0: as many as fill it.
    pub batch: usize,
    pub milliseconds: u64,
    /// Stanzas a second, for the work that is paced.
    pub rate: u64,
    /// How many negotiations.
    pub count: usize,
}

impl Options {
    pub fn new(directory: &Path, arguments: &[String]) -> Self {
        let value = |key: &str| {
            let at = arguments.iter().position(|it| it == key);
            at.map(|at| arguments[at + 1].as_str())
        };
        let number =
            |key: &str, default: usize| value(key).map_or(default, |it| it.parse().unwrap());
        let address = |key: &str| value(key).expect(key).parse().unwrap();
        Self {
            directory: directory.to_owned(),
            s2s: address("--s2s"),
            link: address("--link"),
            server: address("--server"),
            streams: number("--streams", 1),
            partners: number("--partners", 1),
            body: number("--body", 100),
            batch: number("--batch", 0),
            milliseconds: number("--milliseconds", 1000).try_into().unwrap(),
            rate: number("--rate", 2000).try_into().unwrap(),
            count: number("--count", 100),
        }
    }

    /// TLS as a partner speaks it.
    pub fn tls(&self, partner: usize) -> Tls {
        let read = |name: &str| fs::read(self.directory.join(name)).unwrap();
        let chain = rustls_pemfile::certs(&mut &*read(&format!("p{partner}.pem")))
            .map(Result::unwrap)
            .collect();
        let key = rustls_pemfile::private_key(&mut &*read(&format!("p{partner}.key")))
            .unwrap()
            .unwrap();
        let authority = read("authority.pem");
        let anchor = rustls_pemfile::certs(&mut &*authority).next().unwrap();
        Tls::new(chain, &key, anchor.unwrap())
    }
}

/// The domain of a partner.
pub fn partner(number: usize) -> String {
    format!("p{number}.example")
}

/// One authority vouches for the system and for so many partners.
pub fn write_pki(directory: &Path, partners: usize) {
    let authority = Authority::root("Authority of the comparison");
    write(
        directory,
        "authority.pem",
        &pki::pem(&authority.certificate),
    );
    save(directory, "own", &authority.issue(Leaf::new(&[DOMAIN])));
    for number in 0..partners {
        let leaf = Leaf::new(&[&partner(number)]);
        save(directory, &format!("p{number}"), &authority.issue(leaf));
    }
}

fn save(directory: &Path, name: &str, identity: &Identity) {
    write(directory, &format!("{name}.pem"), &identity.chain_pem());
    write(directory, &format!("{name}.key"), identity.key_pem());
    let both = identity.chain_pem() + identity.key_pem();
    write(directory, &format!("{name}.both"), &both);
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

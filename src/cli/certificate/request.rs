//! `xmpp-edge certificate request`: a new key, and the request for a certificate of it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, RsaKeySize};
use rustls::pki_types::UnixTime;
use serde::Serialize;
use tempfile::NamedTempFile;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{Any, Ia5String, ObjectIdentifier};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use zeroize::Zeroizing;

use crate::cli::report::{Form, Format, json, paragraph, refuse};
use crate::cli::{ConfigFile, Exit, check, print};
use crate::config::report::WIDTH;
use crate::config::{Config, NamedCertificate};
use crate::proto::auth::pin::Pin;
use crate::proto::jid::Domain;
use crate::proto::words;

/// Make a key and a request for a certificate
///
/// The request names each local domain of edge.toml as a dNSName, which is what public authorities
/// accept. It is for the certificate of [tls]; --identity chooses that of an [[identity]]. The files
/// that edge.toml names need not be there yet. The key is made with mode 0600. No file is ever
/// overwritten.
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "the help names sections as edge.toml writes them"
)]
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Where to write the private key
    #[arg(long, value_name = "FILE")]
    out_key: PathBuf,
    /// Where to write the request (PKCS#10, PEM)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Ask for that of the [[identity]] with this local domain
    #[arg(long, value_name = "LOCAL-DOMAIN")]
    identity: Option<String>,
    /// Ask for this domain, without edge.toml; repeat it for more
    #[arg(long, value_name = "DOMAIN", conflicts_with = "identity")]
    domain: Vec<String>,
    /// Add SRVNames: for an authority of your own
    #[arg(long)]
    srv_names: bool,
    /// ecdsa-p256, the default; ecdsa-p384; rsa-3072
    #[arg(
        long,
        value_enum,
        default_value_t = KeyType::EcdsaP256,
        hide_possible_values = true,
        hide_default_value = true
    )]
    key_type: KeyType,
    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge certificate request --out-key privkey.pem --out request.pem
  xmpp-edge certificate request --out-key eu.key --out eu.csr \\
          --identity eu.contoso.example

Exit status:
   0  both files are written
  64  the command line is wrong
  73  a file is there already, or cannot be written
  78  the local domains cannot be read";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeyType {
    EcdsaP256,
    EcdsaP384,
    #[value(name = "rsa-3072")]
    Rsa3072,
}

/// The contract of `--format json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'r> {
    key_file: String,
    request_file: String,
    domains: Vec<&'r str>,
    /// Each name that the request has.
    names: Vec<String>,
    key_type: String,
    pin: String,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let (domains, wanted) = match domains(arguments) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    // RFC 9525 §6.4 and what authorities do: no address is a dNSName.
    let (addresses, domains): (Vec<_>, Vec<_>) = domains.into_iter().partition(Domain::is_address);
    if domains.is_empty() {
        let text = "there is no domain to ask for: no certificate names an IP address here";
        return refuse(Exit::Usage, text);
    }
    for file in [&arguments.out_key, &arguments.out] {
        // A link that leads nowhere is there, too.
        if file.symlink_metadata().is_ok() {
            let text = format!(
                "{} is there already, and is left as it is; name another",
                file.display()
            );
            return refuse(Exit::State, &text);
        }
    }
    let made = match make(&domains, arguments.srv_names, arguments.key_type) {
        Ok(made) => made,
        Err(error) => return refuse(Exit::System, &format!("no key could be made: {error}")),
    };
    if let Err((file, error)) = write(&made, &arguments.out_key, &arguments.out) {
        let text = format!(
            "cannot write {}: {}",
            file.display(),
            words::of_error(&error)
        );
        return refuse(Exit::State, &text);
    }
    print(&match arguments.form.format {
        Format::Text => text(arguments, &made, &addresses, wanted.as_ref()),
        Format::Json => json(&Report {
            key_file: arguments.out_key.display().to_string(),
            request_file: arguments.out.display().to_string(),
            domains: domains.iter().map(Domain::as_str).collect(),
            names: made.names,
            key_type: arguments.key_type.name(),
            pin: made.pin.to_string(),
        }),
    });
    Exit::Success
}

/// The domains to ask for, and for which certificate of the configuration.
fn domains(arguments: &Arguments) -> Result<(Vec<Domain>, Option<NamedCertificate>), Exit> {
    if !arguments.domain.is_empty() {
        let mut domains = Vec::new();
        for text in &arguments.domain {
            let domain = Domain::parse(text)
                .map_err(|error| refuse(Exit::Usage, &format!("--domain {text}: {error}")))?;
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        return Ok((domains, None));
    }
    let mut examination = Config::examine(&arguments.file.config, UnixTime::now());
    let Some(certificates) = examination.certificates.take() else {
        crate::cli::complain(&check::problems(&examination, false));
        return Err(Exit::Configuration);
    };
    let wanted = match &arguments.identity {
        None => certificates.into_iter().next(),
        Some(named) => {
            let domain = Domain::parse(named).ok();
            let has =
                |it: &NamedCertificate| domain.as_ref().is_some_and(|d| it.domains.contains(d));
            certificates.into_iter().find(has)
        }
    };
    let Some(wanted) = wanted else {
        let named = arguments.identity.as_deref().unwrap_or_default();
        let text = format!("--identity {named}: no local domain of edge.toml has this name");
        return Err(refuse(Exit::Usage, &text));
    };
    Ok((wanted.domains.clone(), Some(wanted)))
}

/// What is to be written.
struct Made {
    key: Zeroizing<String>,
    request: String,
    names: Vec<String>,
    pin: Pin,
}

fn make(
    domains: &[Domain],
    srv_names: bool,
    key_type: KeyType,
) -> Result<Made, Box<dyn std::error::Error>> {
    let key = key_type.generate()?;
    let mut names = Vec::new();
    let mut alternatives = Vec::new();
    for domain in domains {
        names.push(domain.as_str().to_owned());
        alternatives.push(GeneralName::DnsName(Ia5String::new(domain.as_str())?));
    }
    for domain in domains.iter().filter(|_| srv_names) {
        // RFC 4985 §2: an IA5String, which the library for requests has no name type for.
        let name = format!("_xmpp-server.{}", domain.as_str());
        alternatives.push(GeneralName::OtherName(OtherName {
            type_id: ID_ON_DNS_SRV,
            value: Any::encode_from(&Ia5String::new(&name)?)?,
        }));
        names.push(format!("SRVName {name}"));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // X.520: a common name has 64 characters at most. Nobody has to look at it.
    if let Some(first) = domains.iter().find(|domain| domain.as_str().len() <= 64) {
        let name = first.as_str();
        params.distinguished_name.push(DnType::CommonName, name);
    }
    let alternatives = SubjectAltName(alternatives).to_der()?;
    let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], alternatives);
    params.custom_extensions.push(extension);
    Ok(Made {
        request: params.serialize_request(&key)?.pem()?,
        names,
        pin: Pin::of(&rcgen::PublicKeyData::subject_public_key_info(&key)),
        key: Zeroizing::new(key.serialize_pem()),
    })
}

impl KeyType {
    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// RFC 4985 §2.
const ID_ON_DNS_SRV: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.7");

/// Writes both files, or none; each is whole or not there.
fn write<'p>(made: &Made, key: &'p Path, request: &'p Path) -> Result<(), (&'p Path, io::Error)> {
    let at = |path: &'p Path| move |error| (path, error);
    let directory = match key.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Such a file is made for its owner alone (mode 0600).
    let mut draft = NamedTempFile::new_in(directory).map_err(at(key))?;
    draft.write_all(made.key.as_bytes()).map_err(at(key))?;
    draft.as_file().sync_all().map_err(at(key))?;
    // Unlike a rename, this does not replace what is there.
    let kept = draft.persist_noclobber(key);
    kept.map_err(|error| (key, error.error))?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(request);
    let written = file.and_then(|mut file| {
        file.write_all(made.request.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        // A key without its request is of no use; it was made a moment ago, and by us.
        std::fs::remove_file(key).unwrap_or_default();
        (request, error)
    })
}

fn text(
    arguments: &Arguments,
    made: &Made,
    addresses: &[Domain],
    wanted: Option<&NamedCertificate>,
) -> String {
    let (key, request) = (arguments.out_key.display(), arguments.out.display());
    let mut text = format!("Key      {key} (mode 0600)\nRequest  {request}\n");
    text.push_str("Names    ");
    text.push_str(&made.names.join("\n         "));
    text.push_str(&format!("\nPin      {}\n\n", made.pin));
    let mut say = |sentence: &str| text.push_str(&paragraph(sentence, "", WIDTH));
    for address in addresses {
        say(&format!(
            "{address} is left out: no certificate names an IP address here."
        ));
    }
    say(&format!(
        "Send {request} to the authority, and never the key."
    ));
    let chain = wanted.and_then(|wanted| wanted.chain.as_deref());
    say(&match chain {
        Some(chain) => format!(
            "Put what it sends back into {}: your own certificate first, then the intermediate ones.",
            chain.display()
        ),
        None => "Put what it sends back into the file of certificate-chain: your own certificate \
                 first, then the intermediate ones."
            .to_owned(),
    });
    if let Some(named) = wanted.and_then(|wanted| wanted.key.as_deref())
        && named != arguments.out_key
    {
        say(&format!(
            "With it, the key goes to {}, where edge.toml looks for it.",
            named.display()
        ));
    }
    if rustix::process::geteuid().is_root() {
        say("The daemon's user must be able to read the key:");
        // Commands are copied, so they are not broken.
        text.push_str(&format!("    chown xmpp-edge: {key}\n"));
    }
    text.push_str("Then:\n    xmpp-edge certificate inspect\n");
    text
}

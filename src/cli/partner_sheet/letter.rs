//! The sheet in plain words: 72 columns, so that mail programs leave its lines alone.

use super::{Certificate, Server, Sheet};
use crate::cli::report::{days_in_words, hanging, paragraph};
use crate::proto::policy::Method;

const WIDTH: usize = 72;

/// The sheet as text.
pub(super) fn text(sheet: &Sheet) -> String {
    let mut page = Page(String::new());
    let first = sheet.domains.first().map_or("", String::as_str);
    page.title(first);
    page.say(
        "To the administrator of the other server: this is what your server needs to know of ours, \
         and what we need from you.",
    );
    domains(&mut page, sheet);
    dns(&mut page, sheet, first);
    certificates(&mut page, sheet);
    proof(&mut page, sheet);
    firewall(&mut page, sheet);
    wishes(&mut page, sheet);
    test(&mut page, sheet, first);
    page.0
}

fn domains(page: &mut Page, sheet: &Sheet) {
    page.head("1. Our domains");
    for domain in &sheet.domains {
        page.item(domain);
    }
    page.say("No subdomain is implied by these.");
}

fn dns(page: &mut Page, sheet: &Sheet, first: &str) {
    page.head("2. How your server finds ours");
    page.say("By DNS. These records should be what you see:");
    for server in &sheet.servers {
        let Server {
            host,
            port,
            priority,
            weight,
            ..
        } = server;
        for service in &server.services {
            page.record(&format!(
                "{service}. SRV {priority} {weight} {port} {host}."
            ));
        }
    }
    page.say(
        "It is XMPP between servers over TCP, with STARTTLS. There is no port for direct TLS. A \
         fixed address in place of DNS works as well; the name in our certificate stays the domain.",
    );
    if sheet.servers.is_empty() {
        page.say(&format!(
            "{first} is an IP address: connect to it directly."
        ));
    }
}

fn certificates(page: &mut Page, sheet: &Sheet) {
    page.head("3. How our server proves itself");
    for Certificate { domains, shown } in &sheet.certificates {
        page.say(&format!("For {}, this certificate:", domains.join(", ")));
        page.row("names", &shown.names.join(", "));
        page.row("issuer", &shown.issuer);
        let left = days_in_words(shown.days_left);
        page.row("until", &format!("{} ({left})", shown.not_after));
        page.row("SHA-256", &shown.fingerprint());
        page.row("key", &shown.pin);
    }
    page.say(
        "The SHA-256 fingerprint changes with each renewal. The last line is the digest of the public \
         key (RFC 7469), which stays as long as the key does.",
    );
    if sheet.certificates.iter().any(|it| !it.shown.client_auth) {
        page.say(
            "The certificate is for servers (serverAuth, without clientAuth), as public authorities \
             issue them now. Our server shows it on connections that it opens, too: please accept it \
             there. ejabberd does so from version 25.08 on.",
        );
    }
}

fn proof(page: &mut Page, sheet: &Sheet) {
    page.head("4. How your server must prove itself");
    let terms = &sheet.terms;
    if terms.needs_tls() {
        let version = terms.minimum_tls_version;
        page.say(&format!("TLS {version} or newer is required."));
    }
    for (method, words) in [
        (
            Method::SaslExternal,
            "By certificate (SASL EXTERNAL): it must be issued by an authority that we trust, be \
             valid for servers (serverAuth), and name your XMPP domain; the name of the host is not \
             looked at. Send the intermediate certificates, too. Show it on connections that your \
             server opens as well.",
        ),
        (
            Method::TlsDialback,
            "By server dialback over TLS (XEP-0220): your SRV records must lead to your server, and \
             we must reach it.",
        ),
        (
            Method::TcpDialback,
            "By server dialback without TLS. This is not encrypted.",
        ),
    ] {
        if terms.takes(method) {
            page.bullet(words);
        }
    }
    if !terms.takes(Method::TlsDialback) && !terms.takes(Method::TcpDialback) {
        page.say("Server dialback alone is not accepted.");
    }
    let rate = match terms.stanza_rate {
        0 => String::new(),
        rate => format!(" Beyond {rate} stanzas a second we read more slowly."),
    };
    let bytes = terms.max_stanza_bytes;
    page.say(&format!(
        "A stanza may have {bytes} bytes; a longer one is refused, alone.{rate}"
    ));
}

fn firewall(page: &mut Page, sheet: &Sheet) {
    page.head("5. What your firewall must let through");
    for server in &sheet.servers {
        let place = match server.addresses.as_slice() {
            [] => server.host.clone(),
            some => format!("{} ({})", server.host, some.join(", ")),
        };
        page.bullet(&format!("out: TCP, to port {} of {place}", server.port));
    }
    let are_known = sheet.servers.iter().any(|it| !it.addresses.is_empty());
    let from = if are_known {
        "the addresses above"
    } else {
        "our addresses"
    };
    page.bullet(&format!(
        "in: TCP, to the port in your own SRV records (5269 as a rule), from {from}: streams go one \
         way each, so answers come on a connection that we open"
    ));
}

fn wishes(page: &mut Page, sheet: &Sheet) {
    page.head("6. What we need from you");
    if sheet.terms.covers.is_empty() {
        page.bullet("your XMPP domains, each by name; those of rooms, too");
    } else {
        let covers = sheet.terms.covers.join(", ");
        page.bullet(&format!(
            "whether these are all your XMPP domains, those of rooms included: {covers}"
        ));
    }
    page.bullet("who issues your certificate; if it is an authority of your own, its certificate");
    page.bullet("your port, or an address, if DNS does not say it");
    page.bullet("whom to ask when it does not work");
}

fn test(page: &mut Page, sheet: &Sheet, first: &str) {
    page.head("7. How to test");
    page.say("Is our server found, and is its certificate good? On your server's host:");
    if let Some(server) = sheet.servers.first() {
        page.item(&format!("dig +short SRV _xmpp-server._tcp.{first}"));
        page.item(&format!(
            "openssl s_client -connect {}:{} \\",
            server.host, server.port
        ));
        page.item(&format!("  -starttls xmpp-server -xmpphost {first} -brief"));
    }
    page.say(
        "Is yours in order? Prosody: prosodyctl check. Any server: let somebody outside connect to \
         your port 5269 in the same way.",
    );
    page.say(
        "On our side, \"xmpp-edge explain\" with your domain goes the whole way once: DNS, connection, \
         TLS, each certificate, the proof, a ping. If it stops at your side, we send you what it says.",
    );
}

/// The text so far.
struct Page(String);

impl Page {
    fn title(&mut self, domain: &str) {
        let title = format!("XMPP federation with {domain}");
        self.0.push_str(&paragraph(&title, "", WIDTH));
        let length = title.chars().count().min(WIDTH);
        self.0.push_str(&format!("{}\n\n", "=".repeat(length)));
    }

    fn head(&mut self, head: &str) {
        self.0.push_str(&format!("\n{head}\n\n"));
    }

    /// A paragraph; behind a list there is an empty line before it.
    fn say(&mut self, sentence: &str) {
        let last = self.0.lines().last().unwrap_or_default();
        if last.starts_with(' ') || last.starts_with('-') {
            self.0.push('\n');
        }
        self.0.push_str(&paragraph(sentence, "", WIDTH));
    }

    fn item(&mut self, item: &str) {
        self.0.push_str(&format!("  {item}\n"));
    }

    /// As in a zone file; one that is too long goes on in the next line.
    fn record(&mut self, record: &str) {
        self.0.push_str(&hanging("  ", "      ", record, WIDTH));
    }

    fn bullet(&mut self, item: &str) {
        self.0.push_str(&hanging("- ", "  ", item, WIDTH));
    }

    fn row(&mut self, label: &str, value: &str) {
        let first = format!("  {label:9}");
        self.0
            .push_str(&hanging(&first, "           ", value, WIDTH));
    }
}

//! Why a partner is not reached: DNS, connections, wrong servers.

use super::{Code, NOT_FOUND, TIMEOUT, rows};

rows! {
    NO_SERVICE = "no-service", Peer, Dns, [],
        "DNS says that the domain does not exist, or has no XMPP service.",
        "The partner must publish SRV records for its domain, whose targets have addresses; or correct the domain in its entry, or set `route` there.",
        stanza: Some(NOT_FOUND),
        dialback: "remote-server-not-found";
    DNS_FAILED = "dns-failed", Network, Dns, [],
        "DNS did not answer, and there was no address to connect to.",
        "Check `nameservers` under `[dns]` (or `/etc/resolv.conf`), and port 53 in the firewall; if other domains are found, the partner must mend its name servers.",
        stanza: Some(TIMEOUT),
        dialback: "remote-connection-failed";
    CONNECT_FAILED = "connect-failed", Network, Connect, [],
        "No address of the partner could be connected to.",
        "Look at your own firewall first; then the partner must look at its host and its firewall.",
        stanza: Some(TIMEOUT),
        dialback: "remote-connection-failed";
    BACKING_OFF = "backing-off", Neither, Connect, [],
        "The partner failed a moment ago, and is not tried again yet.",
        "Repair what `dial-failed` says; the next attempt comes by itself, and the sender hears the \
         error of the cause.",
        stanza: Some(TIMEOUT),
        dialback: "remote-connection-failed";
    SERVICE_NOT_OFFERED = "service-not-offered", Peer, Dns, [],
        "The SRV record of the domain says that there is no such service.",
        "The partner must publish other SRV records, if it means to be reached.";
    NO_SUCH_NAME = "no-such-name", Peer, Dns, [],
        "The name does not exist in DNS.",
        "Correct the name in `partners.toml` or in `route`; or the partner must register it.";
    NO_RECORDS = "no-records", Peer, Dns, [],
        "The name exists, and has no record of this kind.",
        "The partner must publish SRV records or addresses; else set `route` in its entry.";
    NO_ADDRESS = "no-address", Peer, Dns, [],
        "The host that SRV or `route` names has no address in DNS.",
        "The partner must correct the target of its SRV records; or correct `route` in its entry.";
    DNS_SERVER_FAILURE = "dns-server-failure", Network, Dns, [],
        "A name server, or one behind it, failed: DNS of that domain may be broken, or its DNSSEC.",
        "The partner must check its zone; if other domains fail too, look at the name servers of \
         this host.";
    DNS_TIMED_OUT = "dns-timed-out", Network, Dns, [],
        "The name servers did not answer in time.",
        "Check `nameservers` under `[dns]`, or `/etc/resolv.conf`, and port 53 in the firewall.";
    DNS_UNREACHABLE = "dns-unreachable", Us, Dns, [],
        "No name server can be reached.",
        "Check `nameservers` under `[dns]`, or `/etc/resolv.conf`, and the network of this host.";
    DNS_ALIASES = "dns-aliases", Peer, Dns, [],
        "The aliases (CNAME) of a name lead in a circle, or are too many.",
        "The partner must correct its zone.";
    DNS_ERROR = "dns-error", Network, Dns, [],
        "The lookup failed in another way; `detail` says in which.",
        "Ask the same name with another tool; if only the edge fails, please report it.";
    NOT_A_PUBLIC_ADDRESS = "not-a-public-address", Peer, Dns, [],
        "DNS gave an address that is not on the public Internet, and nothing was tried.",
        "The partner must publish an address that is reached from outside; or set `allow-private-addresses` under `[dns]`, if it is inside your network.";
    CONNECTION_REFUSED = "connection-refused", Peer, Connect, [],
        "The partner's host answers, and nothing listens on that port, or a firewall rejects it.",
        "The partner must start its server, or open its port, 5269 as a rule.";
    CONNECTION_TIMED_OUT = "connection-timed-out", Network, Connect, [],
        "The partner's host did not answer in time: it is down, or a firewall drops packets.",
        "Let your own firewall pass connections to the partner's port; then the partner must look at its host and its firewall.";
    UNREACHABLE = "unreachable", Network, Connect, [],
        "There is no route to the partner's address.",
        "Check the network of this host; without IPv6 this is to be expected of IPv6 addresses.";
    CONNECTION_FAILED = "connection-failed", Network, Connect, [],
        "Connecting failed in another way; `detail` has the words of the system.",
        "Check the limits of this host: descriptors, local ports, firewall rules for what goes \
         out.";
    // RFC 6120 §4.9.3.6 has been said by the other side.
    NOT_SERVED = "not-served", Peer, Header, [],
        "The server that was reached says that it does not serve the partner's domain.",
        "The partner must correct its SRV records, or add the domain to that server; or set `route` in its entry.",
        stanza: Some(NOT_FOUND), dialback: "remote-server-not-found";
    WRONG_ROUTE = "wrong-route", Us, Connect, [],
        "`route` in the partner's entry leads to a host that is not the partner's, or not there any more.",
        "Correct `route` in the partner's entry, or remove it, so that DNS leads to the partner.";
    ANOTHER_PROTOCOL = "another-protocol", Peer, Header, [],
        "What answers at the partner's place is no XMPP server that takes STARTTLS: it speaks HTTP, SSH, or TLS \
         from the first byte.",
        "The partner must correct its SRV records: the port for servers is 5269 as a rule.";
    CLIENT_PORT = "client-port", Peer, Header, [],
        "The port that was reached is for clients.",
        "The partner must correct its SRV records: the port for servers is 5269 as a rule.",
        stream: Some("invalid-namespace"), stanza: Some(TIMEOUT);
    LEADS_BACK = "leads-back", Peer, Header, [],
        "The way to the partner ends at this edge, or at a server that answers in the name of a \
         local domain.",
        "The partner must correct its SRV records or addresses, which lead to you; or set `route` in its entry.",
        stream: Some("invalid-from"), stanza: Some(NOT_FOUND),
        dialback: "remote-server-not-found";
}

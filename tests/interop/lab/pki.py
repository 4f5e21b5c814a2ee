"""The lab's certificates: a public authority, an internal one for the link, and every kind of bad certificate.

None of ours carries id-on-xmppAddr: ejabberd dies on any certificate that does.
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab import plan

DAY = timedelta(days=1)
USAGE = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


def subject(name):
    # The common name is for people only, and is limited to 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


class Certificate:
    """Where the files of one certificate are: the chain, the key, and both in one file as ejabberd wants them."""

    def __init__(self, directory, name, certificate, key, chain=()):
        self.chain = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        self.both = directory / f"{name}.both.pem"
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (certificate, *chain))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.chain.write_bytes(pem)
        for path, content in ((self.key, secret), (self.both, pem + secret)):
            path.touch(mode=0o600)
            path.write_bytes(content)


def authority_extensions(depth):
    others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = dict.fromkeys([*others, "encipher_only", "decipher_only"], False)
    return [x509.BasicConstraints(True, depth), x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True)]


def sign(whom, key, issuer, issuer_key, life, extensions):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(whom)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + life)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


class Authority:
    """A root, which everybody trusts, and an intermediate authority, which signs and is sent along."""

    def __init__(self, directory, name):
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        root, self.name = subject(name), subject(f"{name}, intermediate")
        root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        anchor = sign(root, root_key, root, root_key, 365 * DAY, authority_extensions(1))
        self.intermediate = sign(self.name, self.key, root, root_key, 180 * DAY, authority_extensions(0))
        self.file = Certificate(directory, name, anchor, root_key).chain

    def issue(self, name, domains, usage=("server",), life=90 * DAY, self_signed=False, rsa_key=False, whole=True):
        """A certificate for these domains.

        A negative `life` makes one that has expired; one that is not `whole` comes without its intermediate.
        """
        key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        extensions = [
            x509.BasicConstraints(False, None),
            x509.SubjectAlternativeName([x509.DNSName(plan.ascii_form(d)) for d in domains]),
            x509.ExtendedKeyUsage([USAGE[u] for u in usage]),
        ]
        issuer, issuer_key = (subject(name), key) if self_signed else (self.name, self.key)
        certificate = sign(subject(name), key, issuer, issuer_key, life, extensions)
        chain = [self.intermediate] if whole and not self_signed else []
        return Certificate(self.directory, name, certificate, key, chain)

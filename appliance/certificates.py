"""Certificates for HTTPS: what one is good for, and an authority of the appliance's own for where there is no other.

The authority is in the data directory. Clients that trust it (`clouds.yaml` names it) trust every certificate that it
makes, so that one can be renewed, or made for another address, without asking anybody.
"""

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.errors import Fatal

SOON = datetime.timedelta(days=30)
"""So long before its end a certificate is renewed, or complained of."""

_DAY = datetime.timedelta(days=1)
_AUTHORITY_LIFE = 3650 * _DAY
# Clients refuse longer ones, even of an authority that they were told to trust.
_LIFE = 397 * _DAY


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server's certificate says."""

    names: tuple[str, ...]
    """Host names and addresses that it is for, the names first; `*.` stands for one label."""
    expires: datetime.datetime

    def covers(self, host: str) -> bool:
        """Whether a client that asks for `host` accepts it."""
        wanted = _normal(host)
        parent = wanted.partition(".")[2]
        return wanted in self.names or (not _is_address(wanted) and f"*.{parent}" in self.names)

    def host_for(self, host: str) -> str:
        """`host`, if it is for that, else the first name that it is for."""
        named = (name for name in self.names if not name.startswith("*"))
        return host if self.covers(host) else next(named, host)

    def is_over(self, now: datetime.datetime, within: datetime.timedelta = datetime.timedelta()) -> bool:
        """Whether it has expired, or will within that time."""
        return now + within >= self.expires


def facts(pem: bytes) -> Facts:
    """What the first certificate of a file says. Raises Fatal."""
    try:
        return _facts(x509.load_pem_x509_certificate(pem))
    except ValueError as error:
        raise Fatal(f"that is no certificate in PEM form: {error}") from error


def _facts(certificate: x509.Certificate) -> Facts:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Facts((), certificate.not_valid_after_utc)
    names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return Facts((*names, *addresses), certificate.not_valid_after_utc)


class Authority:
    """The authority of one data directory, and the certificate that it has made for this server."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate = directory / "ca.pem"
        """What clients are to trust."""
        self._key = directory / "ca.key"
        self.server_certificate = directory / "server.pem"
        self.server_key = directory / "server.key"

    def make_missing(self, hosts: Sequence[str], now: datetime.datetime) -> bool:
        """Make what is not there, is for other hosts or ends soon; True if something was made. Raises Fatal."""
        try:
            return self._make_missing(sorted({_normal(host) for host in hosts}), now)
        except ValueError as error:
            raise Fatal(
                f"the certificates in {self._directory} can't be used: {error}; move the directory away, and the next "
                "start makes new ones"
            ) from error

    def _make_missing(self, hosts: Sequence[str], now: datetime.datetime) -> bool:
        ensure_directory(Disk(), self._directory)
        if not (self.certificate.is_file() and self._key.is_file()):
            self._make_authority(now)
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        if now + _DAY >= authority.not_valid_after_utc:
            raise Fatal(
                f"the authority in {self.certificate} ends on {authority.not_valid_after_utc:%Y-%m-%d}: move "
                f"{self._directory} away, and the next start makes another, which clients then have to trust"
            )
        if self._is_good(authority, hosts, now):
            return False
        self._make_certificate(authority, hosts, now)
        return True

    def _is_good(self, authority: x509.Certificate, hosts: Iterable[str], now: datetime.datetime) -> bool:
        if not (self.server_certificate.is_file() and self.server_key.is_file()):
            return False
        certificate = x509.load_pem_x509_certificate(self.server_certificate.read_bytes())
        key = serialization.load_pem_private_key(self.server_key.read_bytes(), None)
        said = _facts(certificate)
        return (
            certificate.issuer == authority.subject
            and _public(certificate.public_key()) == _public(key.public_key())
            and all(said.covers(host) for host in hosts)
            and (now + SOON < said.expires or said.expires == authority.not_valid_after_utc)
        )

    def _make_authority(self, now: datetime.datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        # The serial number tells two of them apart where both are trusted.
        serial = x509.random_serial_number()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Glance appliance {serial % 16**8:08x}")])
        made = (
            _builder(name, name, key.public_key(), now, now + _AUTHORITY_LIFE)
            .serial_number(serial)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        self._write(self._key, _private(key))
        self._write(self.certificate, made.public_bytes(serialization.Encoding.PEM))

    def _make_certificate(self, authority: x509.Certificate, hosts: Sequence[str], now: datetime.datetime) -> None:
        signing = serialization.load_pem_private_key(self._key.read_bytes(), None)
        if not isinstance(signing, ec.EllipticCurvePrivateKey):
            raise ValueError("the authority's key is of another kind")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Glance appliance")])
        names = [
            x509.IPAddress(ipaddress.ip_address(host)) if _is_address(host) else x509.DNSName(host) for host in hosts
        ]
        end = min(now + _LIFE, authority.not_valid_after_utc)
        made = (
            _builder(subject, authority.subject, key.public_key(), now, end)
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
                critical=False,
            )
            .sign(signing, hashes.SHA256())
        )
        self._write(self.server_key, _private(key))
        self._write(self.server_certificate, made.public_bytes(serialization.Encoding.PEM))

    def _write(self, path: Path, data: bytes) -> None:
        replace_file(Disk(), path, data)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        # Clocks of clients may be behind.
        .not_valid_before(now - _DAY)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the server's key is of another kind")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _normal(host: str) -> str:
    """A host as certificates write it."""
    return str(ipaddress.ip_address(host)) if _is_address(host) else host.lower().rstrip(".")

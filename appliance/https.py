"""How the ports of one appliance are encrypted, by its settings: plain HTTP unless a certificate is named."""

import datetime
import ipaddress
import logging
import socket
from pathlib import Path
from urllib.parse import urlsplit

from appliance import certificates
from appliance.datadir import DataDir
from appliance.errors import Fatal, WrongUsage
from appliance.jobs.scheduler import Job, done
from appliance.server.interfaces import addresses, is_wildcard, reachable_host
from appliance.server.listener import shown
from appliance.server.tls import ServerCertificate
from appliance.settings import Settings
from appliance.values import Clock

log = logging.getLogger(__name__)

SELF = "self"
"""The `tls_cert` of a certificate of our own making."""
_RENEW = 6 * 3600
"""Seconds between two looks whether our own certificate ends soon."""


class Https:
    """The certificate that all ports show, if any, and what follows from it for addresses and clients."""

    def __init__(self, settings: Settings, directory: DataDir, clock: Clock) -> None:
        """Raises `WrongUsage` for settings that contradict each other. Reads nothing yet."""
        _check(settings)
        self._settings = settings
        self._clock = clock
        self._authority = certificates.Authority(directory.tls) if settings.tls_cert == SELF else None
        self.certificate: ServerCertificate | None = None

    def open(self) -> None:
        """Read the certificate, or make one, once the directory is ours. Raises `Fatal`."""
        settings = self._settings
        if self._authority is not None:
            self._authority.make_missing(certificate_hosts(settings), self._now())
            self.certificate = ServerCertificate(self._authority.server_certificate, self._authority.server_key)
        elif settings.tls_cert:
            self.certificate = server_certificate(settings)
            said = certificates.facts(self.certificate.pem)
            if said.is_over(self._now(), within=certificates.SOON):
                log.warning("the certificate in %s %s", settings.tls_cert, ending(said, self._now()))

    @property
    def authority(self) -> str:
        """The file with what clients are to trust; empty if they know it without us."""
        if self._authority is not None:
            return str(self._authority.certificate)
        return str(Path(self._settings.tls_ca).absolute()) if self._settings.tls_ca else ""

    def base(self, host: str, port: int) -> str:
        """Where others find what listens there, under a name that the certificate is for."""
        if self.certificate is None:
            return self.address(host, port)
        return f"https://{shown(certificates.facts(self.certificate.pem).host_for(reachable_host(host)), port)}"

    def address(self, host: str, port: int) -> str:
        """Where that is by its address."""
        return f"{'http' if self.certificate is None else 'https'}://{shown(reachable_host(host), port)}"

    def expires(self) -> float | None:
        """When the certificate that is shown ends, in seconds since 1970; None without one."""
        return None if self.certificate is None else certificates.facts(self.certificate.pem).expires.timestamp()

    def reload(self) -> None:
        """Read the files anew; what can't be used is logged, and changes nothing."""
        if self.certificate is not None:
            self.certificate.reload()

    def jobs(self) -> list[Job]:
        """The job that renews our own certificate in time. The server notices that the files have changed."""
        return [] if self._authority is None else [Job("certificate", done(self._renew), _RENEW)]

    def _renew(self) -> None:
        assert self._authority is not None
        self._authority.make_missing(certificate_hosts(self._settings), self._now())

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self._clock() / 1_000_000, datetime.UTC)


def server_certificate(settings: Settings) -> ServerCertificate:
    """The certificate that the settings name. Raises `Fatal`."""
    if settings.tls_ca and not Path(settings.tls_ca).is_file():
        raise Fatal(f"{settings.tls_ca}, which tls_ca names, is not a file")
    certificate = ServerCertificate(Path(settings.tls_cert), Path(settings.tls_key) if settings.tls_key else None)
    if settings.tls_key and Path(settings.tls_key).stat().st_mode & 0o007:
        log.warning("every user of this machine can read the key in %s: `chmod o= %s`", *[settings.tls_key] * 2)
    certificates.facts(certificate.pem)
    return certificate


def _check(settings: Settings) -> None:
    if not settings.tls_cert and (settings.tls_key or settings.tls_ca):
        raise WrongUsage("tls_key and tls_ca belong to a tls_cert, and there is none")
    if settings.tls_cert == SELF and (settings.tls_key or settings.tls_ca):
        raise WrongUsage("with tls_cert self, the key and the authority are made in the data directory: name neither")


def certificate_hosts(settings: Settings) -> list[str]:
    """By what names and addresses clients may reach this machine."""
    found = ["localhost", "127.0.0.1", "::1", *addresses()]
    found += [socket.gethostname(), *([] if is_wildcard(settings.host) else [settings.host])]
    for url in (settings.public_image_url, settings.public_identity_url):
        found += [host] if (host := urlsplit(url).hostname) else []
    return [host for host in dict.fromkeys(found) if _fits(host)]


def _fits(host: str) -> bool:
    """Whether it can be in a certificate: an address without a zone, or a name of letters, digits and dashes."""
    try:
        return not getattr(ipaddress.ip_address(host), "scope_id", None)
    except ValueError:
        return bool(host) and host.isascii() and all(letter.isalnum() or letter in "-." for letter in host)


def now_utc() -> datetime.datetime:
    """The time of day, as certificates tell it."""
    return datetime.datetime.now(datetime.UTC)


def ending(said: "certificates.Facts", now: datetime.datetime) -> str:
    """How long a certificate is good for, as the end of a sentence."""
    days = (said.expires - now).days
    if said.is_over(now):
        return f"has expired on {said.expires:%Y-%m-%d}"
    return f"ends on {said.expires:%Y-%m-%d}, in {days} {'day' if days == 1 else 'days'}"

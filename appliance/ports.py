"""The ports: which there are, who listens at each and with what in front of the services, and the addresses of them."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from appliance.api.console.gate import Console
from appliance.api.http.admission import Uploaders
from appliance.api.http.proxy import BehindProxies, Mount, TrustedProxies
from appliance.api.image_v2.dialect import Authenticate
from appliance.api.legacy import versions
from appliance.errors import Fatal, WrongUsage
from appliance.https import Https
from appliance.image.web.content import MOST_READERS
from appliance.server.limits import Limits
from appliance.server.listener import AddressInUse, Identify, bind, shown
from appliance.server.proxy_protocol import ACCEPT, OFF, REQUIRE
from appliance.server.server import Listener
from appliance.server.tls import ServerCertificate
from appliance.settings import Settings, flag
from appliance.values import Uploader


def ports(settings: Settings) -> dict[str, int]:
    """The settings that name a port to listen on, in the order in which they are served, and the port of each."""
    names = ["image_port"]
    if settings.identity_mode != "external":
        names += [] if settings.single_port else ["identity_port"]
        names += ["legacy_admin_port"] if settings.legacy else []
    names += ["metrics_port"] if settings.metrics_port >= 0 else []
    return {name: getattr(settings, name) for name in names}


@contextmanager
def bound(settings: Settings, passed: Sequence[socket.socket] = ()) -> Iterator[list[socket.socket]]:
    """Sockets that listen on every port, before anything else is done. Raises `Fatal` if one can't be had.

    Those that were `passed` on by whoever started the process are taken as they are; there has to be one for each port.
    """
    with ExitStack() as opened:
        sockets = list(passed)
        if passed:
            names = ", ".join(ports(settings))
            if len(passed) != len(ports(settings)):
                raise Fatal(f"{len(passed)} sockets were passed, and there have to be {len(ports(settings))}: {names}")
        else:
            sockets += _bind_ports(settings, opened)
        for path in socket_paths(settings):
            sockets.append(bind(path, 0))
            opened.callback(sockets[-1].close)
            opened.callback(Path(path).unlink, missing_ok=True)
        yield sockets


def _bind_ports(settings: Settings, opened: ExitStack) -> Iterator[socket.socket]:
    taken: dict[int, str] = {}
    for name, port in ports(settings).items():
        if port in taken:
            raise Fatal(f"{flag(taken[port])} and {flag(name)} are both {port}: give each a port of its own")
        try:
            sock = bind(settings.host, port)
        except AddressInUse as error:
            where = shown(settings.host, port)
            raise Fatal(
                f"Can't listen on {where}: another program uses that port. Choose another with {flag(name)}, or "
                "stop it."
            ) from error
        opened.callback(sock.close)
        if port:
            taken[port] = name
        yield sock


def socket_paths(settings: Settings) -> list[str]:
    """The Unix sockets to listen on, one for each of `ports`, if there are to be any."""
    if not settings.socket_dir:
        return []
    directory = Path(settings.socket_dir).absolute()
    if not directory.is_dir():
        raise Fatal(f"{directory}, which socket_dir names, is not a directory")
    return [str(directory / f"{name.removesuffix('_port')}.sock") for name in ports(settings)]


class Places:
    """Where the services are: the ports that were bound, and the addresses that follow from them.

    Made before the server is: `bound` gives the pairs of host and port in the order of `ports`, once there are any.
    """

    def __init__(self, settings: Settings, https: Https, bound: Callable[[], Sequence[tuple[str, int]]]) -> None:
        self._settings = settings
        self._https = https
        self._bound = bound

    def both(self) -> tuple[int, int]:
        """The image's and the identity's port; without an identity service of our own, the image's twice."""
        image = self._port("image_port")
        return image, self._port("identity_port") if "identity_port" in ports(self._settings) else image

    def admin(self) -> int:
        """The port of the admin's half of Identity API v2.0."""
        return self._port("legacy_admin_port")

    def _port(self, name: str) -> int:
        return self._addresses()[name][1]

    def _addresses(self) -> dict[str, tuple[str, int]]:
        """Host and port for each setting that names a port; Unix sockets come behind them."""
        return dict(zip(ports(self._settings), self._bound(), strict=False))

    def bases(self) -> dict[str, str]:
        """For each setting that names a port, where others find what listens there."""
        return {name: self._https.base(*address) for name, address in self._addresses().items()}

    def urls(self, bases: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Where the image and the identity service are, without a version."""
        settings = self._settings
        bases = bases or self.bases()
        root = bases["image_port"]
        image = f"{root}/image" if settings.single_port else root
        if settings.identity_mode == "external":
            return image, settings.keystone_url
        return image, f"{root}/identity" if settings.single_port else bases["identity_port"]

    def planned(self) -> tuple[str, str]:
        """`urls` as the settings alone say, while nothing listens."""
        named = ports(self._settings).items()
        return self.urls({name: self._https.base(self._settings.host, port) for name, port in named})

    def local(self) -> tuple[str, str]:
        """`urls` for whoever asks on this machine: what the world calls it may have no meaning here."""
        return self.urls({name: self._https.address(*address) for name, address in self._addresses().items()})


def listeners(
    settings: Settings,
    served: Mapping[str, WSGIApplication],
    sockets: Sequence[socket.socket],
    certificate: ServerCertificate | None,
    validate: Authenticate,
    with_console: Callable[[Sequence[WSGIApplication]], Console] | None,
) -> list[Listener]:
    """A listener for each of `ports`, with what is in front of the services: proxies, the console, one port for two.

    `with_console` puts the console before the applications of the ports, the first of which it shares.
    """
    if settings.proxy_protocol not in (OFF, ACCEPT, REQUIRE):
        raise WrongUsage(f"proxy_protocol can't be {settings.proxy_protocol!r}: say off, accept or require")
    if settings.proxy_protocol != OFF and not (settings.trusted_proxies or settings.socket_dir):
        raise WrongUsage("proxy_protocol is for trusted_proxies, and none are named")
    proxies = TrustedProxies(settings.trusted_proxies)
    apps = list(served.values())
    if settings.single_port:
        mounted = {f"/{name}": app for name, app in served.items() if name in ("image", "identity")}
        apps = [Mount(mounted), *apps[len(mounted) :]]
    uploaders = Uploaders(validate, proxies, "/image" if settings.single_port else "")
    identify: Identify = uploaders.identify
    if with_console:
        console = with_console(apps)
        apps[0] = console

        def identify(environ: dict[str, Any]) -> Uploader | None:
            return uploaders.identify(console.inner(environ) or environ)

    places = [(settings.host, port) for port in ports(settings).values()]
    paths = [(path, 0) for path in socket_paths(settings)]
    given: Sequence[socket.socket | None] = sockets or [None] * len(places + paths)
    return [
        Listener(
            BehindProxies(apps[number % len(apps)], proxies),
            host,
            port,
            sock=sock,
            # Only images are large: at the other ports nobody gets a thread for a body.
            identify=identify if number % len(apps) == 0 else None,
            is_proxy=proxies.trusts,
            proxy_protocol=settings.proxy_protocol,
            # Nobody listens in on a Unix socket.
            certificate=certificate if number < len(places) else None,
        )
        for number, ((host, port), sock) in enumerate(zip(places + paths, given, strict=True))
    ]


def limits(settings: Settings) -> Limits:
    """The server's limits, those that the settings leave open in proportion to the others."""
    return Limits(
        worker_threads=settings.worker_threads,
        transfer_slots=settings.transfer_threads,
        transfer_slots_per_caller=settings.transfers_per_caller or max(1, settings.transfer_threads // 4),
        transfer_slots_per_address=settings.transfers_per_address or max(1, settings.transfer_threads // 2),
        connections=settings.max_connections,
        connections_per_port=settings.max_connections * 4 // 5,
        connections_per_address=settings.connections_per_address or max(1, settings.max_connections // 4),
        receive_seconds=settings.receive_timeout,
        minimum_rate=settings.minimum_upload_rate,
        upload_seconds=settings.upload_timeout,
        # Those that wait for other servers' data take no thread away from those that read ours.
        download_threads=Limits().download_threads + MOST_READERS,
        stall_seconds=settings.request_timeout,
        grace_seconds=settings.shutdown_grace,
        underscored_headers=versions.UNDERSCORED if settings.legacy else (),
    )

"""Between server and services: what trusted proxies say of a client, and both services behind one port."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.api.http.messages import Response
from appliance.errors import Invalid, WrongUsage

# What may become part of every link: as strict as the server is with Host itself.
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PREFIX = re.compile(r"(?!.*//)(?!.*/\.{1,2}(/|$))/[A-Za-z0-9._~/-]+")

UNIX = "unix"
"""The address of whoever has connected to a Unix socket."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies:
    """The proxies whose word is taken. Everybody else's `X-Forwarded-*` headers are left unread."""

    def __init__(self, networks: Iterable[str]) -> None:
        try:
            self._networks: list[_Network] = [ipaddress.ip_network(network, strict=False) for network in networks]
        except ValueError as error:
            raise WrongUsage(f"trusted_proxies: {error}") from error

    def fold(self, environ: WSGIEnvironment) -> None:
        """Set scheme, host, mount point and client address as the trusted proxies report them.

        Each proxy adds its own word at the right end of a list, and the client's own words, which may be anything, are
        further left: so the outermost proxy that is trusted is counted from the right. Raises `Invalid`.
        """
        if not self.trusts(environ.get("REMOTE_ADDR", "")):
            return
        hops = self._fold_client(environ)
        scheme = _word(environ, "HTTP_X_FORWARDED_PROTO", hops).lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = _word(environ, "HTTP_X_FORWARDED_HOST", hops)
        if host:
            if not _HOST.fullmatch(host):
                raise Invalid("The X-Forwarded-Host header is malformed.")
            environ["HTTP_HOST"] = host
        prefix = _word(environ, "HTTP_X_FORWARDED_PREFIX", hops).rstrip("/")
        if prefix:
            if not _PREFIX.fullmatch(prefix):
                raise Invalid("The X-Forwarded-Prefix header is malformed.")
            environ["SCRIPT_NAME"] = prefix

    def _fold_client(self, environ: WSGIEnvironment) -> int:
        """The nearest address that is no trusted proxy's is the client's. How many proxies there are up to it."""
        hops = 1
        for address in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            if not _is_address(address.strip()):
                break
            environ["REMOTE_ADDR"] = address.strip()
            if not self.trusts(address.strip()):
                break
            hops += 1
        return hops

    def trusts(self, address: str) -> bool:
        """Whether this is the address of such a proxy. The file's mode says who may use a Unix socket."""
        if address == UNIX:
            return True
        if not self._networks or not _is_address(address):
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)


def _word(environ: WSGIEnvironment, key: str, hops: int) -> str:
    """What the outermost trusted proxy wrote; where proxies have replaced what was there, the list is shorter."""
    text: str = environ.get(key, "")
    words = text.split(",")
    return words[-min(hops, len(words))].strip()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class BehindProxies:
    """A WSGI application that sees its requests as the client sent them to the proxy in front."""

    def __init__(self, application: WSGIApplication, proxies: TrustedProxies) -> None:
        self._application = application
        self._proxies = proxies

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._proxies.fold(environ)
        except Invalid as error:
            return Response(400, f"{error}\n").send(environ, start_response)
        return self._application(environ, start_response)


class Mount:
    """A WSGI application that hands each request to the service whose path it begins with."""

    def __init__(self, services: Mapping[str, WSGIApplication]) -> None:
        self._services = dict(services)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, service in self._services.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                inner = {
                    **environ,
                    "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix,
                    "PATH_INFO": path[len(prefix) :] or "/",
                }
                return service(inner, start_response)
        body = f"The services are at {' and '.join(self._services)}.\n".encode()
        start_response(
            "404 Not Found", [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", str(len(body)))]
        )
        return [body]

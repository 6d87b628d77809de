"""`X-Forwarded-*` from a trusted proxy, folded into the request so that links show the address that the client used."""

import ipaddress
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from appliance.errors import WrongUsage

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies:
    """The proxies whose word is taken. Everybody else's `X-Forwarded-*` headers are left unread."""

    def __init__(self, networks: Iterable[str]) -> None:
        try:
            self._networks: list[_Network] = [ipaddress.ip_network(network, strict=False) for network in networks]
        except ValueError as error:
            raise WrongUsage(f"trusted_proxies: {error}") from error

    def fold(self, environ: WSGIEnvironment) -> None:
        """Set scheme, host, mount point and client address as a trusted proxy reports them."""
        if not self._networks or not self._trusted(environ.get("REMOTE_ADDR", "")):
            return
        scheme = _first(environ, "HTTP_X_FORWARDED_PROTO").lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = _first(environ, "HTTP_X_FORWARDED_HOST")
        if host:
            environ["HTTP_HOST"] = host
        prefix = _first(environ, "HTTP_X_FORWARDED_PREFIX").rstrip("/")
        if prefix.startswith("/"):
            environ["SCRIPT_NAME"] = prefix
        self._fold_client(environ)

    def _fold_client(self, environ: WSGIEnvironment) -> None:
        """The nearest address that is no trusted proxy's is the client's."""
        for address in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            if not _is_address(address.strip()):
                return
            environ["REMOTE_ADDR"] = address.strip()
            if not self._trusted(address.strip()):
                return

    def _trusted(self, address: str) -> bool:
        if not _is_address(address):
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)


def _first(environ: WSGIEnvironment, key: str) -> str:
    text: str = environ.get(key, "")
    return text.split(",")[0].strip()


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
        self._proxies.fold(environ)
        return self._application(environ, start_response)

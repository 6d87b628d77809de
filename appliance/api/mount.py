"""Several services on one port, each under its own path: `/image` and `/identity`, as behind a proxy."""

from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


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

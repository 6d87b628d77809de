"""A proxy that adds a path in front of a server, as nginx would."""

import http.client
import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.answering import answering

_OWN = ("connection", "transfer-encoding", "content-length", "host")


@contextmanager
def behind_prefix(inside: str, prefix: str) -> Iterator[str]:
    """Where the server is that is at `inside`, below the path `prefix`."""
    address = urlsplit(inside).netloc

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
            sent |= {"X-Forwarded-Prefix": prefix, "X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1"}
            sent |= {"X-Forwarded-Host": self.headers["Host"], "Host": address}
            connection = http.client.HTTPConnection(address)
            connection.request(self.command, self.path.removeprefix(prefix), body or None, sent)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

        def log_message(self, *_: object) -> None:
            pass

    with answering(Handler) as url:
        yield f"{url}{prefix}"

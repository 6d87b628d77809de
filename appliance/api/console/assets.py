"""The console's files: read from the package once, compressed, and named so that a browser may keep them for ever."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from appliance.api.http.messages import Response

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_DIGEST = b"{{digest}}"


@dataclass(frozen=True, slots=True)
class _Asset:
    kind: str
    plain: bytes
    packed: bytes


class Assets:
    """Every file below `static/`. All of them are served under one digest, since they name each other."""

    def __init__(self) -> None:
        found = dict(_read(files("appliance.api.console").joinpath("static"), ""))
        digest = hashlib.sha256(b"".join(name.encode() + data for name, data in sorted(found.items())))
        self.digest = digest.hexdigest()[:16]
        index = found.pop("index.html").replace(_DIGEST, self.digest.encode())
        self._index = _asset("index.html", index)
        self._assets = {name: _asset(name, data) for name, data in found.items()}

    @property
    def names(self) -> list[str]:
        return sorted(self._assets)

    def index(self, packed: bool) -> Response:
        """The page. A browser asks for it each time, for it names the files of this version."""
        return _response(self._index, packed, "no-cache")

    def file(self, digest: str, name: str, packed: bool) -> Response | None:
        """A file by its name; None if there is none, or if it is that of another version."""
        asset = self._assets.get(name)
        return None if asset is None or digest != self.digest else _response(asset, packed, _FOR_EVER)


def _read(directory: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            yield prefix + entry.name, entry.read_bytes()


def _asset(name: str, data: bytes) -> _Asset:
    return _Asset(_TYPES[name.rpartition(".")[2]], data, gzip.compress(data, 9, mtime=0))


def _response(asset: _Asset, packed: bool, keep: str) -> Response:
    headers = [("Content-Type", asset.kind), ("Cache-Control", keep), ("Vary", "Accept-Encoding")]
    if packed:
        return Response(200, asset.packed, [*headers, ("Content-Encoding", "gzip")])
    return Response(200, asset.plain, headers)

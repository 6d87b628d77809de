"""What others move for the same pair of disks: rsync, zsync and casync, as Debian has them, laid out in build/rivals.

Each has the old disk at the receiving side and is asked for the new one, compressed as it can. What counts are all
bytes that cross the line, in both directions, with the indexes that each needs.
"""

import http.server
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.answering import answering

_ROOT = Path(__file__).resolve().parent.parent
_PLACE = _ROOT / "build" / "rivals"
_COUNTED = re.compile(r"^Total bytes (?:sent|received): ([\d,]+)$", re.MULTILINE)
_RANGE = re.compile(r"(\d+)-(\d+)")


def find_tools() -> str:
    """Have the programs; else why not."""
    command = [sys.executable, str(_ROOT / "packaging/rival_packages.py"), str(_PLACE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if (_PLACE / "complete").exists() else done.stderr.strip()


def _run(*command: str | Path, where: Path) -> str:
    root = _PLACE / "root"
    libraries = ":".join(str(path) for path in (*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu")))
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries, "PATH": f"{_PLACE}/root/usr/bin:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def rsync(old: Path, new: Path, where: Path) -> int:
    """Its delta algorithm over a pipe, compressed; what is there has the name of what comes."""
    target = where / "target"
    shutil.copyfile(old, target)
    told = _run("rsync", "--no-whole-file", "--compress", "--stats", new, target, where=where)
    _check(new, target)
    return sum(int(found.replace(",", "")) for found in _COUNTED.findall(told))


def zsync(old: Path, new: Path, where: Path) -> int:
    """Ranges of a compressed file on a web server, and the index by which the client finds what it lacks."""
    served = where / "served"
    served.mkdir()
    os.link(new, served / new.name)
    _run("zsyncmake", "-z", "-o", "index.zsync", new.name, where=served)
    with _web(served) as (url, count):
        _run("zsync", "-q", "-i", old, "-o", where / "target", f"{url}/index.zsync", where=where)
    _check(new, where / "target")
    return count[0]


def casync(old: Path, new: Path, where: Path) -> int:
    """Chunks cut by content, each a compressed file, and the index that names them."""
    for disk, name in ((old, "old"), (new, "new")):
        _run("casync", "make", f"--store={where}/{name}.castr", f"{name}.caibx", disk, where=where)
    chunks = {name: {path.name: path for path in (where / f"{name}.castr").rglob("*.cacnk")} for name in ("old", "new")}
    fresh = chunks["new"].keys() - chunks["old"].keys()
    return (where / "new.caibx").stat().st_size + sum(chunks["new"][name].stat().st_size for name in fresh)


RIVALS: dict[str, Callable[[Path, Path, Path], int]] = {"rsync": rsync, "zsync": zsync, "casync": casync}


def compare(old: Path, new: Path, where: Path) -> dict[str, int]:
    """The bytes that each of them moves."""
    found = {}
    for name, rival in RIVALS.items():
        place = where / name
        place.mkdir()
        found[name] = rival(old, new, place)
        shutil.rmtree(place)
    return found


def _check(new: Path, target: Path) -> None:
    if subprocess.run(["cmp", "-s", str(new), str(target)], check=False).returncode != 0:
        raise RuntimeError(f"{target} is not what {new} is")


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Knows several ranges in a request, which zsync makes, and counts what it sends."""

    protocol_version = "HTTP/1.1"
    count: list[int]

    def do_GET(self) -> None:
        body = Path(self.translate_path(self.path)).read_bytes()
        asked = [(int(first), int(last)) for first, last in _RANGE.findall(self.headers.get("Range") or "")]
        self.count[0] += len(str(self.headers))
        if not asked:
            return self._say(200, body, "application/octet-stream")
        if len(asked) == 1:
            first, last = asked[0]
            return self._say(206, body[first : last + 1], "application/octet-stream", first, last, len(body))
        parts = [
            b"\r\n--part\r\nContent-Range: bytes %d-%d/%d\r\n\r\n" % (first, last, len(body)) + body[first : last + 1]
            for first, last in asked
        ]
        return self._say(206, b"".join(parts) + b"\r\n--part--\r\n", "multipart/byteranges; boundary=part")

    def _say(self, status: int, body: bytes, kind: str, *span: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if span:
            self.send_header("Content-Range", f"bytes {span[0]}-{span[1]}/{span[2]}")
        self.end_headers()
        self.wfile.write(body)
        self.count[0] += len(body) + 200

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def _web(directory: Path) -> Iterator[tuple[str, list[int]]]:
    count = [0]

    handler = type("Counted", (_Ranges,), {"count": count})
    with answering(partial(handler, directory=str(directory))) as address:
        yield address, count

"""A feed as plain files: kept by `feed publish`, followed from any web server, also from one that knows no ranges."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError, Conflict, Fatal
from appliance.fleet.bundle_reader import BundleReader
from appliance.fleet.keys import SiteKey
from appliance.fleet.syncing import FollowTerms
from appliance.fleet.tree_writer import TreeWriter
from appliance.values import now
from tests.answering import answering
from tests.data_directory import data
from tests.fleet.lines import line_to
from tests.fleet.sites import Site


class Plain(SimpleHTTPRequestHandler):
    """Python's own web server: it knows no ranges."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Ranges(Plain):
    """One that knows them."""

    def send_head(self) -> Any:
        span = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not span or not path.is_file():
            return super().send_head()
        first, last = map(int, span.removeprefix("bytes=").split("-"))
        body = path.read_bytes()[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{path.stat().st_size}")
        self.end_headers()
        return io.BytesIO(body)


@contextmanager
def web(directory: Path, handler: type[Plain]) -> Iterator[str]:
    def make(*args: Any, **rest: Any) -> Plain:
        return handler(*args, directory=str(directory), **rest)

    with answering(make) as address:
        yield address


def publish(site: Site, directory: Path) -> int:
    """Bring the files up to date; how many bytes of blocks that took."""
    writer = TreeWriter(directory)
    return writer.add(BundleReader(io.BytesIO(site.bundle(since=writer.receipt(SiteKey(None), now))).read))


@pytest.fixture(params=[Plain, Ranges])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "tree").mkdir()
    with web(tmp_path / "tree", request.param) as address:
        yield address


def follow(edge: Site, center: Site, url: str) -> None:
    edge.fleet.peers.pair("center", center.fleet.key.fingerprint, key=center.fleet.key.public)
    edge.fleet.syncer.follow("center", "golden", FollowTerms(tree=url))


def test_a_published_feed_is_followed(center: Site, edge: Site, tmp_path: Path, url: str) -> None:
    payload = os.urandom(3_000_000) + bytes(500_000)
    first = center.add(payload)
    center.publish()
    publish(center, tmp_path / "tree")
    follow(edge, center, url)
    assert edge.fleet.syncer.run("golden").created == [first] and edge.read(first) == payload
    second = center.add(payload[:1_000_000] + os.urandom(1000) + payload[1_001_000:])
    assert publish(center, tmp_path / "tree") < 900_000
    center.delete(first)
    publish(center, tmp_path / "tree")
    report = edge.fleet.syncer.run("golden")
    assert (report.created, report.removed) == ([second], [first]) and not edge.findings()


def test_a_line_that_breaks_within_every_block_brings_the_files(center: Site, edge: Site, tmp_path: Path) -> None:
    payload = os.urandom(900_000)
    image_id = center.add(payload)
    center.publish()
    (tmp_path / "tree").mkdir()
    publish(center, tmp_path / "tree")
    with web(tmp_path / "tree", Ranges) as url, line_to(url, cut_after=30_000) as line:
        follow(edge, center, line.url)
        assert edge.fleet.syncer.run("golden").created == [image_id]
        assert line.connections > 30 and line.down < len(payload) + 1000 * line.connections
    assert edge.read(image_id) == payload


def test_a_second_publication_writes_nothing_new(center: Site, tmp_path: Path) -> None:
    center.add(data())
    center.publish()
    publish(center, tmp_path / "tree")
    before = {path: path.read_bytes() for path in (tmp_path / "tree").rglob("*") if path.is_file()}
    assert publish(center, tmp_path / "tree") == 0
    assert {path: path.read_bytes() for path in (tmp_path / "tree").rglob("*") if path.is_file()} == before


def test_what_nobody_needs_any_more_goes_after_a_day(center: Site, tmp_path: Path) -> None:
    gone = center.add(os.urandom(500_000))
    center.publish()
    publish(center, tmp_path / "tree")
    center.delete(gone)
    kept = center.add(os.urandom(500_000))
    publish(center, tmp_path / "tree")
    assert kept and len(list((tmp_path / "tree/packs").iterdir())) == 2
    for path in (tmp_path / "tree").rglob("*"):
        os.utime(path, (0, 0))
    publish(center, tmp_path / "tree")
    assert len(list((tmp_path / "tree/packs").iterdir())) == 1
    assert len(list((tmp_path / "tree/maps").iterdir())) == 2


@pytest.mark.parametrize("name", ["entries/*.json", "maps/*.map", "maps/*.places", "packs/*.pack"])
@pytest.mark.parametrize("torn", [True, False])
def test_a_spoilt_file_is_noticed(center: Site, edge: Site, tmp_path: Path, url: str, name: str, torn: bool) -> None:
    center.add(os.urandom(1_000_000))
    center.publish()
    publish(center, tmp_path / "tree")
    follow(edge, center, url)
    (path,) = (tmp_path / "tree").glob(name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if torn else whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    with pytest.raises(ApplianceError):
        edge.fleet.syncer.run("golden")
    assert not edge.ids() and not edge.findings()
    path.write_bytes(whole)
    assert len(edge.fleet.syncer.run("golden").created) == 1


def test_only_a_published_feed_is_written_over(center: Site, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(Fatal, match="neither empty nor a published feed"):
        TreeWriter(tmp_path)


def test_a_directory_has_one_feed(center: Site, edge: Site, tmp_path: Path) -> None:
    center.add(data())
    center.publish()
    publish(center, tmp_path / "tree")
    edge.publish("other", all=True)
    with pytest.raises(Conflict, match="has another feed, golden"):
        TreeWriter(tmp_path / "tree").add(BundleReader(io.BytesIO(edge.bundle("other")).read))

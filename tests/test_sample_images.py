"""Sample images: only what the manifest describes gets into the cache, and the cache says what it holds."""

import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from oslo_utils.imageutils import format_inspector

sys.path.insert(0, str(Path(__file__).parent.parent / "sample-images"))

from samples import NoSample, cache, initramfs, manifest, qcow2
from samples.__main__ import recipe_of
from samples.fetch import fetch

BODY = bytes(range(256)) * 4096
DIGESTS = {"md5": hashlib.md5(BODY).hexdigest(), "sha512": hashlib.sha512(BODY).hexdigest()}


LEAVING = threading.Event()


class Mirror(BaseHTTPRequestHandler):
    """Serves BODY at /image, a part of it at /short, at /moved the way to /image, and nothing at /silent."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/image")
            self.end_headers()
            return
        if self.path == "/silent":
            LEAVING.wait(10)
            return
        self.send_response(200 if self.path in ("/image", "/short") else 404)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY if self.path == "/image" else BODY[:1000])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    LEAVING.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    LEAVING.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/image", "/moved"])
def test_what_is_published_is_put_in_place(mirror: str, path: str, tmp_path: Path) -> None:
    fetch(mirror + path, tmp_path / "image", DIGESTS, len(BODY))
    assert (tmp_path / "image").read_bytes() == BODY
    assert [file.name for file in tmp_path.iterdir()] == ["image"]


@pytest.mark.parametrize(
    ("path", "digests", "size", "reason"),
    [
        ("/image", {**DIGESTS, "md5": "0" * 32}, len(BODY), "published md5"),
        ("/image", DIGESTS, len(BODY) + 1, "bytes where"),
        ("/image", {}, len(BODY), "no published digest"),
        ("/short", DIGESTS, None, "."),
        ("/absent", DIGESTS, None, "Not Found"),
    ],
)
def test_anything_else_leaves_nothing(
    mirror: str, path: str, digests: dict[str, str], size: int | None, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(NoSample, match=reason):
        fetch(mirror + path, tmp_path / "image", digests, size)
    assert list(tmp_path.iterdir()) == []


def test_no_listener_fails_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(NoSample, match="cannot be fetched"):
        fetch(f"http://127.0.0.1:{port}/image", tmp_path / "image", DIGESTS, None)
    assert time.monotonic() - started < 5


def test_silence_is_not_waited_out(mirror: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(NoSample, match=r"in time|timed out"):
        fetch(f"{mirror}/silent", tmp_path / "image", DIGESTS, None, patience=0.3)
    assert time.monotonic() - started < 2


def test_every_official_image_can_be_verified() -> None:
    listed = manifest.read()
    for image in listed.cirros:
        assert image.url.startswith("https://")
        assert image.digests
        for algorithm, value in image.digests.items():
            assert len(bytes.fromhex(value)) == hashlib.new(algorithm).digest_size
    recipes = [*(recipe_of(image) for image in listed.cirros), recipe_of(listed.tiny_linux)]
    assert len(set(recipes)) == len(recipes)
    with pytest.raises(NoSample, match=r"cirros-0\.6\.2"):
        listed.cirros_named("cirros-0", "x86_64")


def test_the_index_describes_the_file_and_notices_damage(tmp_path: Path) -> None:
    file = tmp_path / "disk.img"
    file.write_bytes(BODY)
    (tmp_path / "yesterday.img").write_bytes(b"old")
    sample = cache.describe(
        file,
        name="a-disk",
        disk_format="raw",
        min_disk=1,
        min_ram=64,
        properties={"os_distro": "none"},
        recipe="r",
    )
    cache.write(tmp_path, [sample])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.img", "index.json"]
    assert cache.read(tmp_path) == [sample]
    (entry,) = json.loads((tmp_path / "index.json").read_text())
    assert entry["size"] == len(BODY)
    assert entry["md5"] == DIGESTS["md5"]
    assert entry["sha512"] == DIGESTS["sha512"]
    assert entry["container_format"] == "bare"

    file.write_bytes(BODY[:-1] + b"?")
    assert cache.read(tmp_path) == []


def test_without_a_sample_the_reason_stays(tmp_path: Path) -> None:
    cache.write(tmp_path, [])
    cache.write_reason(tmp_path, "No sample image: because.")
    assert cache.read(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["reason.txt"]


@pytest.mark.parametrize("clusters", [1, 3, 9000])
def test_the_qcow2_file_reads_back_as_the_disk(clusters: int, tmp_path: Path) -> None:
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    size = clusters * qcow2.CLUSTER - 1024
    with raw.open("wb") as disk:
        disk.truncate(size)
        disk.seek(size - 512)
        disk.write(b"the last sector".ljust(512, b"."))
    qcow2.convert(raw, made)
    inspector = format_inspector.detect_file_format(str(made))
    assert str(inspector) == "qcow2"
    assert inspector is not None
    assert inspector.virtual_size == size
    inspector.safety_check()
    # Header, counts' table, counts, first level, second levels, and the one cluster that is not empty.
    assert made.stat().st_size == (4 + -(-clusters // 8192) + 1) * qcow2.CLUSTER
    assert made.read_bytes().endswith(b"the last sector".ljust(512, b".") + bytes(1024))


def test_the_ram_disk_archive_is_what_the_kernel_unpacks() -> None:
    archive = initramfs.Archive(epoch=1700000000)
    archive.add(initramfs.Entry("etc", 0o40755))
    archive.add(initramfs.Entry("etc/name", 0o100644, b"tiny\n", owner=1000))
    whole = archive.finish()
    assert len(whole) % 512 == 0
    second = whole.index(b"070701", 6)
    fields = [int(whole[second + 6 + 8 * n : second + 14 + 8 * n], 16) for n in range(13)]
    assert fields == [2, 0o100644, 1000, 1000, 1, 1700000000, 5, 0, 0, 0, 0, 9, 0]
    assert second % 4 == 0
    assert whole[second + 110 :].startswith(b"etc/name\0\0tiny\n")

"""Two sites and a stick, with the executable alone: what one has comes to the other, whole, and the second night."""

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smoke_client import Client

SIZE = 12 << 20
CHANGED = 64 << 10
Run = Callable[..., str]
"""Runs the executable with some words, in the directory of the sites; what it prints."""


def check_bundles(place: Path, run: Run, serve: Callable[[Path], Any]) -> list[str]:
    """Each thing that held, as a line. `serve` starts a server for a directory. Raises AssertionError."""
    luck = random.Random(3)
    monday = luck.randbytes(SIZE)
    tuesday = monday[: SIZE // 2] + luck.randbytes(CHANGED) + monday[SIZE // 2 + CHANGED :]
    center, edge, stick = place / "center", place / "edge", place / "stick"
    stick.mkdir()
    stick.chmod(0o777)
    ids = {_upload(serve, center, "monday", monday): monday}
    _serve(serve, edge, lambda client: None)
    site = json.loads(run("peer", "show", "--data-dir", "center", "-f", "json"))
    run("feed", "create", "golden", "--all", "--data-dir", "center")
    run("bundle", "export", "golden", "stick/golden.tar", "--split", "4M", "--data-dir", "center")
    parts = sorted(stick.glob("golden.tar.*"))
    assert len(parts) == 4, f"a bundle of {SIZE} bytes has {len(parts)} parts of 4 MiB"
    told = run("bundle", "inspect", "stick/golden.tar", "--deep")
    assert "every byte was read" in told, told
    told = run("bundle", "import", "stick/golden.tar", "--origin", site["fingerprint"], "--data-dir", "edge")
    assert "1 created" in told, told
    assert "nothing was new" in run("bundle", "import", "stick/golden.tar", "--data-dir", "edge")
    ids[_upload(serve, center, "tuesday", tuesday)] = tuesday
    run("bundle", "export", "golden", "stick/next.tar", "--since", "stick/golden.tar.receipt", "--data-dir", "center")
    size = (stick / "next.tar").stat().st_size
    assert size < SIZE // 4, f"the second night takes {size} bytes"
    _opens_plainly(stick)
    assert "1 created" in run("bundle", "import", "stick/next.tar", "--data-dir", "edge")

    def compare(client: Client) -> None:
        for image, body in ids.items():
            found = client.show(image)
            assert found["os_hash_value"] == hashlib.sha512(body).hexdigest(), f"{image} has another hash there"
            assert client.download(image) == body, f"{image} reads back differently there"

    _serve(serve, edge, compare)
    return [
        f"a bundle in {len(parts)} parts brought an image of {SIZE} bytes to another site, under its id",
        f"the next night's took {size} bytes, and plain tar and sha512sum found it in order",
    ]


def _serve(serve: Callable[[Path], Any], directory: Path, use: Callable[[Client], Any]) -> Any:
    server = serve(directory)
    found = use(server.client)
    assert server.stop() == 0, f"the server of {directory.name} did not end well"
    return found


def _upload(serve: Callable[[Path], Any], directory: Path, name: str, body: bytes) -> str:
    return str(_serve(serve, directory, lambda client: client.upload(name, body)))


def _opens_plainly(stick: Path) -> None:
    opened = stick / "opened"
    opened.mkdir()
    subprocess.run(["tar", "xf", "../next.tar"], cwd=opened, check=True, env={"PATH": os.environ["PATH"]})
    done = subprocess.run(["sha512sum", "-c", "SHA512SUMS"], cwd=opened, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

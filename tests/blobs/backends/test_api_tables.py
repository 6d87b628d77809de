"""The tables of the image API, once with the single store in a bucket: a process for each of their files.

What only a store on a disk does is marked `on_a_disk` there.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed

ROOT = Path(__file__).parents[3]
TABLES = sorted(path.name for path in (ROOT / "tests/api/image_v2").glob("test_*.py"))


@pytest.mark.backends
@pytest.mark.parametrize("table", TABLES)
def test_the_image_api_is_the_same_with_a_remote_store(server: Seaweed, bucket: str, table: str) -> None:
    options = {"endpoint": server.endpoint, "access_key": KEY, "secret_key": SECRET, "timeout": "30"}
    given = {
        "TEST_STORE_URL": f"s3://{bucket}",
        "TEST_STORE_OPTIONS": ",".join(f"main:{name}={value}" for name, value in options.items()),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow"]
    command += [f"tests/api/image_v2/{table}"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]

"""The tables of the image API, once with the single store in a bucket."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed

ROOT = Path(__file__).parents[3]


@pytest.mark.backends
def test_the_image_api_is_the_same_with_a_remote_store(server: Seaweed, bucket: str) -> None:
    options = {"endpoint": server.endpoint, "access_key": KEY, "secret_key": SECRET, "timeout": "30"}
    given = {
        "TEST_STORE_URL": f"s3://{bucket}",
        "TEST_STORE_OPTIONS": ",".join(f"main:{name}={value}" for name, value in options.items()),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow"]
    command += ["tests/api/image_v2"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]

"""A virtual machine boots from what the appliance stores: from a saved copy, and straight over HTTP, range by range.

The guest has no network card.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.e2e.bridge import bridge
from tests.e2e.conftest import PASSWORD, ROOT, Appliance

sys.path.insert(0, str(ROOT / "sample-images"))

from samples import cache
from samples.boot import EMULATOR, boot

SAMPLES = ROOT / "sample-images/cache"
USER, WORD = "cirros", "gocubsgo"
PATIENCE = 300.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"{EMULATOR} is not installed"),
    pytest.mark.skipif(not (SAMPLES / cache.INDEX).exists(), reason="there is no sample image: `make sample-images`"),
]


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with the sample image in it."""
    started = Appliance(tmp_path_factory.mktemp("boot") / "data", "--sample-images", str(SAMPLES))
    yield started
    assert started.stop() == 0, started.log()


@pytest.fixture
def client(preloaded: Appliance, tmp_path: Path) -> Program:
    """Our own client as the administrator."""
    who = {"OS_USERNAME": "admin", "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "admin"}
    return Program(tmp_path, OS_AUTH_URL=preloaded.identity, **who)


def the_sample() -> cache.Sample:
    return cache.read(SAMPLES)[0]


def is_the_samples_kernel(version: str) -> bool:
    """Whether the sample was built with this kernel, if its description says with which."""
    kernels = [part for part in the_sample().built_from if part.startswith("linux-image-")]
    return version[0].isdigit() and all(part.startswith(f"linux-image-{version} ") for part in kernels)


def test_a_saved_copy_boots(client: Program, tmp_path: Path) -> None:
    sample = the_sample()
    copy = tmp_path / "copy.img"
    client("image", "save", sample.name, "--file", copy)
    assert copy.stat().st_size == sample.size
    assert is_the_samples_kernel(boot(str(copy), USER, WORD, memory=256, seconds=PATIENCE))


def test_the_appliance_is_a_disk_over_http(preloaded: Appliance, client: Program) -> None:
    if " http " not in subprocess.run(["qemu-img", "--help"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("this QEMU can't read over HTTP (Debian's package qemu-block-extra has that)")
    sample = the_sample()
    image_id = client("image", "show", sample.name, "-f", "value", "-c", "id").text.strip()
    token = client("token", "issue", "-f", "value", "-c", "id").text.strip()
    with bridge(f"{preloaded.image}/v2/images/{image_id}/file", token, sample.size) as disk:
        kernel = boot(disk.address, USER, WORD, memory=256, seconds=PATIENCE)
    assert is_the_samples_kernel(kernel)
    read = sum(length for _, length in disk.answers)
    print(f"{len(disk.answers)} ranges with {read / 1e6:.1f} MB of the image's {sample.size / 1e6:.1f} MB were read.")
    assert len(disk.answers) > 10 and {status for status, _ in disk.answers} == {206}

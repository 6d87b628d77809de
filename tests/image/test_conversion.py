"""qemu-img on its leash: what it reads, how long it runs, how much it writes, and that it ends when we do."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import LimitExceeded, StorageFull, Unavailable, UnsupportedFormat
from appliance.image.conversion import Converter, Workspace
from appliance.image.ingest import Limits
from appliance.settings import Settings
from appliance.values import KIB, MIB
from tests.waiting import eventually

installed = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
CAP = Limits(None, 64 * MIB)


def converter(directory: Path, check: Callable[[], None] = lambda: None, **more: object) -> Converter:
    settings = Settings(data_dir=directory, **more)  # type: ignore[arg-type]
    (directory / "tmp").mkdir(exist_ok=True)
    return Converter(settings, Workspace(settings), check)


def stand_in(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program under the name of qemu-img. Its last argument is the file that it has to write."""
    program = directory / "bin" / "qemu-img"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nfor target; do :; done\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def raw(directory: Path, size: int = MIB) -> Path:
    file = directory / "tmp" / "source"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(random.Random(5).randbytes(size))
    return file


@installed
@pytest.mark.parametrize("disk_format", ["raw", "qcow2", "vdi", "vhd", "vhdx", "vmdk", "ami"])
@pytest.mark.parametrize("output", ["raw", "qcow2", "vmdk"])
def test_every_format_is_known_to_qemu_under_its_name(tmp_path: Path, disk_format: str, output: str) -> None:
    source = raw(tmp_path, 320 * KIB)
    content = source.read_bytes()
    driver = {"vhd": "vpc", "ami": "raw"}.get(disk_format, disk_format)
    given = source.with_name("given")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", driver, source, given], check=True)
    target = converter(tmp_path, image_conversion_output_format=output).convert(given, disk_format, None, CAP)
    back = source.with_name("back")
    subprocess.run(["qemu-img", "convert", "-f", output, "-O", "raw", target, back], check=True)
    assert back.read_bytes()[: len(content)] == content


@installed
def test_a_disk_that_is_larger_than_the_cap_is_not_begun(tmp_path: Path) -> None:
    source = raw(tmp_path)
    with pytest.raises(LimitExceeded):
        converter(tmp_path).convert(source, "qcow2", 65 * MIB, CAP)
    with pytest.raises(LimitExceeded):
        converter(tmp_path).convert(source, "qcow2", 5 * MIB, Limits(None, 64 * MIB, quota_left=4 * MIB))
    assert not source.with_name("target").exists()


@installed
def test_a_file_that_is_not_what_was_said_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat) as refused:
        converter(tmp_path).convert(raw(tmp_path), "qcow2", None, CAP)
    assert str(tmp_path) not in str(refused.value)


def test_a_conversion_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "sleep 60")
    with pytest.raises(LimitExceeded, match="1 seconds"):
        converter(tmp_path, image_conversion_timeout=1).convert(raw(tmp_path), "raw", None, CAP)


def test_a_conversion_ends_with_the_service_and_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, 'sleep 61 & echo $! > "$target.pid"; wait')
    pid = tmp_path / "tmp" / "target.pid"

    def check() -> None:
        if pid.exists() and pid.read_text():
            raise Unavailable("The service is stopping.")

    with pytest.raises(Unavailable):
        converter(tmp_path, check).convert(raw(tmp_path), "raw", None, CAP)
    assert ended(int(pid.read_text()))


def test_what_it_writes_is_bounded_by_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'exec head -c 100000000 /dev/zero > "$target"')
    source = raw(tmp_path)
    with pytest.raises(LimitExceeded):
        converter(tmp_path).convert(source, "raw", None, Limits(None, MIB))
    assert source.with_name("target").stat().st_size <= 18 * MIB


def test_what_all_imports_write_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'head -c 9000000 /dev/urandom > "$target"; exec sleep 60')
    with pytest.raises(StorageFull):
        converter(tmp_path, import_workspace_size=4 * MIB).convert(raw(tmp_path), "raw", None, CAP)


def test_its_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'sleep 0.2; ulimit -v > "$target"')
    target = converter(tmp_path).convert(raw(tmp_path), "raw", None, CAP)
    assert target.read_text().strip() == str(MIB)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_nothing_of_it_outlives_a_service_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'echo $$ > "$target.pid"; exec sleep 62')
    source = raw(tmp_path)
    script = (
        "from pathlib import Path\nfrom tests.image.test_conversion import CAP, converter\n"
        f"converter(Path({str(tmp_path)!r})).convert(Path({str(source)!r}), 'raw', None, CAP)"
    )
    service = subprocess.Popen([sys.executable, "-c", script])
    pid = source.with_name("target.pid")
    eventually(lambda: pid.exists() and pid.read_text())
    os.kill(service.pid, signal.SIGKILL)
    service.wait()
    assert ended(int(pid.read_text()))


def ended(pid: int) -> bool:
    """Whether a process is gone, or nothing but a name, within a while."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False

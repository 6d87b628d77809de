"""Conversion of an image to another format by qemu-img, in a workspace of its own."""

import logging
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.errors import LimitExceeded, StorageFault, StorageFull, Unavailable, UnsupportedFormat
from appliance.image.ingest import Limits
from appliance.settings import Settings
from appliance.values import GIB, KIB, MIB

log = logging.getLogger(__name__)

_PREFIX = "import-"


class Workspace:
    """A folder for each import that needs one, and one bound for all of them."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.data_dir / "tmp"
        self._most = settings.import_workspace_size

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """A folder of one's own, gone at the end of the block."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = TemporaryDirectory(prefix=_PREFIX, dir=self.path, ignore_cleanup_errors=True)
        except OSError as error:
            raise StorageFault(f"no folder can be made in {self.path}: {error.strerror}") from error
        with made as name:
            yield Path(name)

    def clear(self) -> None:
        """Remove what a process that was killed has left. To be called at start-up, before the first import."""
        try:
            left = [entry for entry in os.scandir(self.path) if entry.name.startswith(_PREFIX)]
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("%s can't be read: %s", self.path, error.strerror)
            return
        for entry in left:
            log.info("removing %s, which an import has left", entry.path)
            shutil.rmtree(entry.path, ignore_errors=True)

    def check(self) -> None:
        """Raise `StorageFull` if imports take more than their share of the disk."""
        taken = self._taken()
        share = (shutil.disk_usage(self.path).free + taken) // 2
        most = min(self._most, share) if self._most else share
        if taken > most:
            raise StorageFull(f"The files of imports under way take {taken} bytes; {most} is the most they may.")

    def _taken(self) -> int:
        taken = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    taken += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except OSError:
                    # Another import has just ended.
                    continue
        return taken


_MEMORY = 1 * GIB
_LOOK_AROUND = 0.1
_SENTENCE = 200
# What qemu calls formats that have another name here. What is not in the list is raw to it.
_DRIVERS = {"qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "ploop": "parallels"}


class Converter:
    """Runs qemu-img. `check` is called all the time, and ends the work by raising."""

    def __init__(self, settings: Settings, workspace: Workspace, check: Callable[[], None]) -> None:
        self._output = settings.image_conversion_output_format
        self._seconds = settings.image_conversion_timeout
        self._workspace = workspace
        self._check = check

    def check_installed(self) -> None:
        """Raise `Unavailable` if there is no qemu-img."""
        if shutil.which("qemu-img") is None:
            raise Unavailable("qemu-img is not installed, so images can't be converted.")

    def convert(self, source: Path, disk_format: str, virtual_size: int | None, limits: Limits) -> Path:
        """The image in the format wanted, in a file beside it. Its data has been found safe, with this disk size."""
        if self._output == "raw":
            limits.check(virtual_size or 0)
        most = limits.size_cap if limits.quota_left is None else min(limits.size_cap, limits.quota_left)
        target = source.with_name("target")
        complaint = source.with_name("complaint")
        driver = _DRIVERS.get(disk_format, "raw")
        words = ["qemu-img", "convert", "-q", "-f", driver, "-O", self._output, "--", str(source), str(target)]
        with complaint.open("wb") as said:
            process = self._start(words, said.fileno(), _with_overhead(most))
            try:
                code = self._watch(process, target, limits)
            finally:
                _end(process)
        if code == -signal.SIGXFSZ:
            raise LimitExceeded(f"The image has more than {most} bytes once it is converted.")
        if code:
            with complaint.open("rb") as said_before:
                why = said_before.read(4 * KIB).decode("utf-8", "replace").replace(str(source.parent), "")
            raise UnsupportedFormat(
                f"The image can't be converted to {self._output}: {why.strip()[:_SENTENCE] or f'it ended with {code}'}"
            )
        limits.check(target.stat().st_size)
        return target

    def _start(self, words: list[str], errors: int, largest: int) -> "subprocess.Popen[bytes]":
        # The kernel kills it when the thread that started it is gone, be it by kill -9.
        leash = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        try:
            process = subprocess.Popen(
                [*leash, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"qemu-img can't be started: {error.strerror}") from error
        limits = {
            resource.RLIMIT_AS: _MEMORY,
            resource.RLIMIT_CPU: self._seconds,
            resource.RLIMIT_FSIZE: largest,
            resource.RLIMIT_CORE: 0,
        }
        try:
            # They count from where it is, so it gains nothing by having begun.
            for kind, value in limits.items():
                resource.prlimit(process.pid, kind, (value, value))
        except ProcessLookupError:
            pass
        except OSError as error:
            _end(process)
            raise Unavailable(f"qemu-img can't be bounded: {error.strerror}") from error
        return process

    def _watch(self, process: "subprocess.Popen[bytes]", target: Path, limits: Limits) -> int:
        """Its exit code. Raises as soon as it takes too long, or more than it may."""
        ends = time.monotonic() + self._seconds
        while True:
            try:
                return process.wait(_LOOK_AROUND)
            except subprocess.TimeoutExpired:
                self._check()
                self._workspace.check()
                if target.exists() and self._output == "raw":
                    limits.check(target.stat().st_size)
                if time.monotonic() >= ends:
                    raise LimitExceeded(f"The conversion took more than {self._seconds} seconds.") from None


def _with_overhead(size: int) -> int:
    """What a file of a format with tables of its own may take for so much data."""
    return min(size + size // 64 + 16 * MIB, 2**63 - 1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """No process of its group is left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()

"""Debian packages, downloaded by apt and unpacked here: nothing is installed and nothing of the system is changed."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from samples import NoSample

MACHINES = {"x86_64": "amd64"}


@dataclass(frozen=True)
class Package:
    """One downloaded package."""

    name: str
    version: str
    file: Path


class Archive:
    """This machine's own package sources, used from a folder of our own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def why_not() -> str | None:
        """Why the stand-in cannot be made of Debian packages on this machine, or None if it can."""
        if platform.machine() not in MACHINES:
            return f"the stand-in is for x86_64 and this machine is {platform.machine()}"
        missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
        if missing or not Path("/etc/debian_version").exists():
            return "the stand-in is made of Debian packages and this is not a Debian system"
        return None

    def download(self, names: list[str]) -> list[Package]:
        """The newest versions of these packages, as files."""
        if not self._try_download(names):
            self._use_own_lists()
            if not self._try_download(names):
                raise NoSample(f"apt cannot download {', '.join(names)}")
        return [self._newest(name) for name in names]

    def kernel_behind(self, meta: Package) -> str:
        """The package of the kernel itself, which a package such as `linux-image-amd64` only depends on."""
        for depended in _field(meta.file, "Depends").split(","):
            name = depended.strip().split(" ")[0]
            if name.startswith("linux-image-"):
                return name
        raise NoSample(f"{meta.name} names no kernel")

    def _try_download(self, names: list[str]) -> bool:
        command = ["apt-get", "-q", *self._options, "-o", "APT::Sandbox::User=root", "download", *names]
        return _run(command, self._folder).returncode == 0

    def _use_own_lists(self) -> None:
        """The system's package lists are missing or old, and changing them is not ours: fetch some aside."""
        aside = self._folder / "apt"
        for part in ("lists/partial", "cache/archives/partial"):
            (aside / part).mkdir(parents=True, exist_ok=True)
        self._options = ["-o", f"Dir::State::Lists={aside}/lists", "-o", f"Dir::Cache={aside}/cache"]
        # A mirror out of reach must not keep anybody waiting.
        hasty = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=5", "-o", "Acquire::https::Timeout=5"]
        command = ["apt-get", "-q", *self._options, *hasty, "-o", "APT::Sandbox::User=root", "update"]
        if _run(command, self._folder).returncode != 0:
            raise NoSample("apt cannot reach the package sources")

    def _newest(self, name: str) -> Package:
        files = sorted(self._folder.glob(f"{name}_*.deb"), key=lambda file: file.stat().st_mtime)
        for old in files[:-1]:
            old.unlink()
        return Package(name, _field(files[-1], "Version"), files[-1])


def unpack(packages: list[Package], target: Path) -> None:
    """Lay the packages' files under `target`."""
    target.mkdir(parents=True)
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", str(package.file), str(target)], check=True)


def _field(file: Path, name: str) -> str:
    answer = subprocess.run(["dpkg-deb", "--field", str(file), name], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=300
        )
    except subprocess.TimeoutExpired:
        raise NoSample(f"{command[0]} took too long") from None

"""Two disks of a real distribution: Debian's packages as of its last point release, and with the updates since.

The packages are those that every Debian server has, and some that most have; none of them is installed. A kernel is not
among them, for that is another package with each of its versions. Needs apt-get, dpkg-deb, mke2fs.
"""

import re
import subprocess
from collections import defaultdict
from functools import cmp_to_key
from pathlib import Path

from bench.corpus import run

_PRIORITIES = re.compile(r"^Priority: (required|important|standard)$", re.MULTILINE)
_NAME = re.compile(r"^Package: (\S+)$", re.MULTILINE)
_ALSO = ("openssh-server", "openssh-client", "curl", "libcurl4", "libssl3")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _newer(one: str, other: str) -> int:
    return 1 if subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0 else -1


class Releases:
    """Builds the two disks."""

    def __init__(self, directory: Path, disk_length: int) -> None:
        self._directory = directory
        self._disk_length = disk_length
        known = defaultdict[str, list[str]](list)
        for line in _output("apt-cache", "madison", *self._names()).splitlines():
            name, version, source = (part.strip() for part in line.split("|"))
            if not source.endswith("Sources"):
                known[name].append(version)
        self._known = {name: sorted(set(found), key=cmp_to_key(_newer)) for name, found in known.items()}
        self.changed = sum(len(found) > 1 for found in self._known.values())
        self.packages = len(self._known)

    def _names(self) -> list[str]:
        blocks = _output("apt-cache", "dumpavail").split("\n\n")
        usual = {name[1] for block in blocks if _PRIORITIES.search(block) and (name := _NAME.search(block))}
        return sorted(usual | set(_ALSO))

    def disks(self) -> tuple[Path, Path]:
        """As of the release, and with what has been updated since; each a file system of its own."""
        return self._disk("release", 0), self._disk("updated", -1)

    def _disk(self, name: str, which: int) -> Path:
        tree, packages = self._directory / name, self._directory / f"{name}.packages"
        for directory in (tree, packages):
            directory.mkdir()
        wanted = [f"{package}={found[which]}" for package, found in sorted(self._known.items())]
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *wanted]
        subprocess.run(command, cwd=packages, check=True, stdout=subprocess.DEVNULL)
        for package in sorted(packages.glob("*.deb")):
            run("dpkg-deb", "--extract", str(package), str(tree))
        disk = self._directory / f"{name}.raw"
        with disk.open("wb") as file:
            file.truncate(self._disk_length)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", str(tree), str(disk))
        return disk

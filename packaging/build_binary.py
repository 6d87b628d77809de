"""Freeze the appliance into `dist/glance-appliance`, one executable that needs no Python where it runs.

With a sample image in `sample-images/cache` there is a second one, `glance-appliance-with-sample`, which has it inside;
and `build/binary/folder` is the same program as a folder, which the Debian package is made from.

An executable runs where the glibc is at least as new as the one it was built with. So it is built in a root of an older
Debian where one can be made (as root, on x86_64, with Debian's debootstrap), and with this machine's own Python
otherwise, saying which glibc that needs. Two builds of the same sources are the same bytes.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from PyInstaller.archive.readers import CArchiveReader  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "binary"
OLD_ROOT = ROOT / "build" / "old-root"
SAMPLES = ROOT / "sample-images" / "cache"
NAME = "glance-appliance"
BILL = f"{NAME}.cdx.json"
WITH_SAMPLE = f"{NAME}-with-sample"
FOLDER = "folder"
GLIBC_FLOOR = (2, 31)
FIXED = {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class CannotBuild(Exception):
    """Why there is no executable, in a sentence."""


@dataclass(frozen=True)
class Place:
    """Where PyInstaller runs: a root folder, and the Python in it."""

    root: Path
    python: str
    version: str
    platforms: tuple[str, ...]

    @property
    def work(self) -> str:
        """The folder of the build, as the Python there sees it."""
        return str(BUILD) if self.root == Path("/") else "/appliance"

    def run(self, *arguments: str) -> None:
        """Run this place's Python on the sources that were laid out for it."""
        inside = [] if self.root == Path("/") else ["chroot", str(self.root)]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": f"{self.work}/home",
            "PYTHONPATH": f"{self.work}/site",
            "PYTHONNOUSERSITE": "1",
            **FIXED,
        }
        command = [*inside, "env", "-i", "-C", self.work, *(f"{k}={v}" for k, v in environment.items()), self.python]
        _run([*command, *arguments])


def old_place() -> Place | str:
    """The older root, made if need be; or why it cannot be."""
    if platform.machine() != "x86_64":
        return f"the older root is for x86_64 and this machine is {platform.machine()}"
    if os.geteuid() != 0:
        return "making an older root takes root's rights"
    if shutil.which("debootstrap") is None:
        if shutil.which("apt-get") is None:
            return "debootstrap is not installed"
        print("installing debootstrap with apt-get")
        for step in (["update"], ["install", "-y", "--no-install-recommends", "debootstrap"]):
            if subprocess.run(["apt-get", "-qq", *step], stdin=subprocess.DEVNULL).returncode != 0:
                return "debootstrap cannot be installed"
    script = Path(__file__).with_name("old_root.sh")
    if subprocess.run([str(script), str(OLD_ROOT)], stdin=subprocess.DEVNULL).returncode != 0:
        return "the older root could not be made"
    platforms = tuple(f"manylinux_2_{minor}_x86_64" for minor in (31, 28, 17, 12, 5))
    return Place(OLD_ROOT, "/opt/python/bin/python3.11", "3.11", (*platforms, "manylinux2014_x86_64"))


def host_place() -> Place:
    """A Python of this machine that can be frozen, which is one with a shared library of its own."""
    asks = "import sys, sysconfig as s; s.get_config_var('Py_ENABLE_SHARED') and print('%d.%d' % sys.version_info[:2])"
    for name in (sys.executable, "/usr/bin/python3", *(f"python3.{minor}" for minor in (11, 12, 13, 14))):
        found = shutil.which(name)
        if found is None:
            continue
        version = subprocess.run([found, "-c", asks], capture_output=True, text=True).stdout.strip()
        if version and tuple(map(int, version.split("."))) >= (3, 11):
            home = BUILD / "python"
            _run([found, "-m", "venv", "--clear", "--without-pip", str(home)])
            return Place(Path("/"), str(home / "bin" / "python"), version, ())
    raise CannotBuild("no Python here has a shared library to freeze: install Debian's python3 and libpython3-dev")


def freeze(place: Place) -> Path:
    """Lay out the sources and the pinned packages, and run PyInstaller over them; where it leaves what it made."""
    shutil.rmtree(BUILD / "site", ignore_errors=True)
    work = place.root / place.work.lstrip("/")
    for part in ("appliance", "packaging", "sample-images", "site", "home", "out"):
        shutil.rmtree(work / part, ignore_errors=True)
    for part in ("appliance", "packaging"):
        shutil.copytree(ROOT / part, work / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("appliance.py", "pyproject.toml", "LICENSE"):
        shutil.copy2(ROOT / file, work)
    _lay_out_samples(work / "sample-images")
    _install(place, work / "site")
    place.run(
        *("-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "ERROR"),
        *("--distpath", f"{place.work}/out", "--workpath", f"{place.work}/home/work"),
        f"{place.work}/packaging/appliance.spec",
    )
    return work / "out"


def _lay_out_samples(target: Path) -> None:
    index = SAMPLES / "index.json"
    if index.is_file():
        target.mkdir()
        for name in (index.name, *(sample["file"] for sample in json.loads(index.read_text()))):
            shutil.copyfile(SAMPLES / name, target / name)


def _install(place: Place, target: Path) -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    freezer = [name for name in table["optional-dependencies"]["dev"] if name.startswith("pyinstaller")]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-compile"]
    only = ["--only-binary=:all:", "--implementation", "cp", "--python-version", place.version]
    only += [argument for name in place.platforms for argument in ("--platform", name)]
    pins = ["--require-hashes", "--constraint", str(ROOT / "packaging" / "constraints.txt")]
    _run([*pip, *only, *pins, "--target", str(target), *table["dependencies"], *freezer])


def glibc_needed(executable: Path) -> tuple[int, int]:
    """The newest glibc that anything in the executable asks for."""
    reader = CArchiveReader(str(executable))
    parts = [executable.read_bytes()]
    parts += [reader.extract(name) for name, entry in reader.toc.items() if entry[-1] == "b"]
    return max((int(a), int(b)) for part in parts for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", part))


def build(route: str) -> None:
    """Build by this route: `old`, `host`, or `auto`, the first that works."""
    place: Place | str = "asked for this machine's own glibc" if route == "host" else old_place()
    if isinstance(place, str):
        if route == "old":
            raise CannotBuild(place)
        if route == "auto":
            print(f"building with this machine's own glibc: {place}")
        place = host_place()
    out = freeze(place)
    needed = glibc_needed(out / NAME)
    if place.root != Path("/") and needed > GLIBC_FLOOR:
        raise CannotBuild(f"the executable needs glibc {needed[0]}.{needed[1]}, which is newer than promised")
    shutil.rmtree(BUILD / FOLDER, ignore_errors=True)
    shutil.copytree(out / FOLDER, BUILD / FOLDER, symlinks=True)
    # Written last, by a build that came this far, for whoever packs the folder.
    (BUILD / "glibc").write_text(f"{needed[0]}.{needed[1]}\n")
    (ROOT / "dist").mkdir(exist_ok=True)
    for folder in (BUILD, ROOT / "dist"):
        shutil.copyfile(out / BILL, folder / BILL)
    for name in (NAME, WITH_SAMPLE):
        target = ROOT / "dist" / name
        if not (out / name).exists():
            target.unlink(missing_ok=True)
            print(f"{target.relative_to(ROOT)} is not built: there is no sample image (`make sample-images` says why)")
            continue
        shutil.copy2(out / name, target.with_suffix(".part"))
        target.with_suffix(".part").replace(target)
        size = target.stat().st_size
        print(f"{target.relative_to(ROOT)}: {size / 1e6:.1f} MB, runs with glibc {needed[0]}.{needed[1]} and later")


def _run(command: list[str]) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
        raise CannotBuild(f"{Path(command[0]).name} failed (its message is above)")


def main() -> int:
    """Build by the route that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", choices=("auto", "old", "host"), default="auto")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        build(options.root)
    except CannotBuild as problem:
        print(f"no executable: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

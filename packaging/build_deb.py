"""Pack what `make binary` left in `build/binary/folder` into a Debian package in `dist/`.

The package has the folder and not the one file: it starts faster and is one process. The same folder gives the same
bytes.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from build_binary import BILL, BUILD, FIXED, FOLDER, NAME, ROOT

sys.path.insert(0, str(ROOT))

from appliance import __version__
from appliance.cli.install import NO_SETTINGS

PARTS = ROOT / "packaging" / "debian"
STAGE = ROOT / "build" / "deb"
OUT = ROOT / "dist"
MAINTAINER = "Glance appliance <root@localhost>"
COMPLETIONS = {
    "bash": f"usr/share/bash-completion/completions/{NAME}",
    "zsh": f"usr/share/zsh/vendor-completions/_{NAME}",
    "fish": f"usr/share/fish/vendor_completions.d/{NAME}.fish",
}
CONTROL = """\
Package: {name}
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: libc6 (>= {glibc}), zlib1g, adduser
Section: net
Priority: optional
Description: OpenStack image service with its identity service
 Serves the Image API v2 and the Identity API v3 from one process and one
 directory, for the stock OpenStack clients, and brings a client of its own.
 .
 Nothing but loopback is listened on unless its settings say so.
"""


class CannotPack(Exception):
    """Why there is no package, in a sentence."""


def lay_out(root: Path) -> None:
    """The files of the package, where they will be."""
    shutil.rmtree(root, ignore_errors=True)
    place = root / "usr/lib" / NAME
    shutil.copytree(BUILD / FOLDER, place, symlinks=True)
    link = root / "usr/bin" / NAME
    link.parent.mkdir()
    link.symlink_to(f"../lib/{NAME}/{NAME}")
    _put(root / "lib/systemd/system" / f"{NAME}.service", (ROOT / f"packaging/systemd/{NAME}.service").read_bytes())
    _put(root / f"etc/{NAME}/appliance.toml", NO_SETTINGS.encode())
    documents = root / "usr/share/doc" / NAME
    _put(documents / "changelog.gz", gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0))
    _put(documents / "copyright", _copyright(place))
    _put(documents / f"{BILL}.gz", gzip.compress((BUILD / BILL).read_bytes(), mtime=0))
    for shell, path in COMPLETIONS.items():
        _put(root / path, _output(place / NAME, "completion", shell))
    with tempfile.TemporaryDirectory() as pages:
        _output(place / NAME, "man", "--all", pages)
        for page in sorted(Path(pages).iterdir()):
            _put(root / "usr/share/man/man1" / f"{page.name}.gz", gzip.compress(page.read_bytes(), mtime=0))


def _copyright(place: Path) -> bytes:
    """Our licence, and those of all that is inside."""
    ours = [f"{NAME} comes under the licence below; after it are those of what it is made of.", ""]
    return "\n".join([*ours, (ROOT / "LICENSE").read_text(), ""]).encode() + _output(place / NAME, "licenses")


def _output(*command: str | Path) -> bytes:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotPack(f"{command[0]} does not run here: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def describe(root: Path) -> str:
    """The control files; the package's name, version and architecture as its file has them."""
    architecture = _output("dpkg", "--print-architecture").decode().strip()
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    control = CONTROL.format(
        name=NAME,
        version=__version__,
        architecture=architecture,
        maintainer=MAINTAINER,
        size=size,
        glibc=(BUILD / "glibc").read_text().strip(),
    )
    _put(root / "DEBIAN/control", control.encode())
    _put(root / "DEBIAN/conffiles", f"/etc/{NAME}/appliance.toml\n".encode())
    sums = _output("md5sum", *files).decode().replace(f"{root}/", "")
    _put(root / "DEBIAN/md5sums", sums.encode())
    for script in ("postinst", "prerm", "postrm"):
        shutil.copyfile(PARTS / script, root / "DEBIAN" / script)
    return f"{NAME}_{__version__}_{architecture}"


def settle(root: Path) -> None:
    """Modes and dates that depend on nobody's habits."""
    runs = {root / "usr/lib" / NAME / NAME, *(root / "DEBIAN" / name for name in ("postinst", "prerm", "postrm"))}
    date = int(FIXED["SOURCE_DATE_EPOCH"])
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in runs else 0o644)
        os.utime(path, (date, date), follow_symlinks=False)


def main() -> int:
    """Build the package."""
    try:
        if not (BUILD / "glibc").is_file():
            raise CannotPack(f"{BUILD} has nothing to pack: `make binary` comes first")
        if shutil.which("dpkg-deb") is None:
            raise CannotPack("dpkg-deb is not installed")
        lay_out(STAGE)
        target = OUT / f"{describe(STAGE)}.deb"
        settle(STAGE)
        # One thread, so that the number of processors leaves no trace.
        environment = {**os.environ, **FIXED, "DPKG_DEB_THREADS_MAX": "1"}
        pack = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(STAGE), str(target)]
        if subprocess.run(pack, env=environment, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise CannotPack("dpkg-deb failed (its message is above)")
    except CannotPack as problem:
        print(f"no package: {problem}", file=sys.stderr)
        return 1
    print(f"{OUT.name}/{target.name}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

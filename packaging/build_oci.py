"""Pack what `make binary` left in `build/binary/folder` into an OCI image, an archive in `dist/`, without any daemon.

`podman load`, `docker load` and `skopeo copy oci-archive:…` take it. Inside are two layers: glibc and the authorities
of the web from Debian's packages, and the program. No shell, no package manager, nothing that is set-uid. The same
folder and the same packages give the same bytes.
"""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_binary import BILL, BUILD, FIXED, FOLDER, NAME, ROOT

sys.path.insert(0, str(ROOT))

from appliance import __version__

STAGE = ROOT / "build" / "oci"
OUT = ROOT / "dist"
PACKAGES = ("libc6", "zlib1g", "ca-certificates")
"""What the program does not bring along: its first lines need zlib. Debian's glibc finds libraries without a cache."""
USER = 65532
DATA_DIR = f"/var/lib/{NAME}"
PROGRAM = f"/usr/lib/{NAME}/{NAME}"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

_DATE = int(FIXED["SOURCE_DATE_EPOCH"])
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"

ENVIRONMENT = {
    "PATH": "/usr/bin",
    # Whatever a command keeps for itself is gone with the container.
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "SSL_CERT_FILE": AUTHORITIES,
    "APPLIANCE_DATA_DIR": DATA_DIR,
    # Whoever publishes a port of a container wants it to be reached.
    "APPLIANCE_HOST": "0.0.0.0",
}
CHECK = ["CMD", PROGRAM, "status"]


class CannotPack(Exception):
    """Why there is no image, in a sentence."""


# -- what is inside ----------------------------------------------------------------------------------------------------


def lay_out_system(root: Path) -> None:
    """glibc and the authorities of the web, from Debian's packages, with the licences of both."""
    packages = _fetched(root.with_name("packages"))
    source = root.with_name("unpacked")
    shutil.rmtree(source, ignore_errors=True)
    for package in packages:
        _run("dpkg-deb", "-x", str(package), str(source))
    for pattern in ("lib/*/*.so*", "lib64/*.so*", "usr/lib/*/*.so*", "usr/lib64/*.so*", "usr/share/doc/*/copyright"):
        for path in sorted(source.glob(pattern)):
            _take(path, root / path.relative_to(source))
    listed = sorted(source.glob("usr/share/ca-certificates/mozilla/*.crt"))
    _put(root / AUTHORITIES.lstrip("/"), b"".join(path.read_bytes() for path in listed))
    _put(root / f"usr/share/doc/{NAME}/packages", "\n".join([*(path.stem for path in packages), ""]).encode())


def _fetched(folder: Path) -> list[Path]:
    """The packages, as apt gets and verifies them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise CannotPack("glibc comes from Debian's packages, and there is no apt-get here")
    _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES, cwd=folder)
    return sorted(folder.glob("*.deb"))


def lay_out_files(root: Path) -> None:
    """The few files that a system has."""
    _put(root / "etc/passwd", f"root:x:0:0::/:/none\n{NAME}:x:{USER}:{USER}::{DATA_DIR}:/none\n".encode())
    _put(root / "etc/group", f"root:x:0:\n{NAME}:x:{USER}:\n".encode())
    _put(root / "etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    for folder in ("tmp", "proc", "sys", "dev", "run", DATA_DIR.lstrip("/")):
        (root / folder).mkdir(parents=True, exist_ok=True)


def lay_out_program(root: Path) -> None:
    """The program as a folder: it starts faster than one file, and unpacks nothing, so that all may be read-only."""
    shutil.copytree(BUILD / FOLDER, root / f"usr/lib/{NAME}", symlinks=True)
    link = root / "usr/bin" / NAME
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../lib/{NAME}/{NAME}")
    documents = root / f"usr/share/doc/{NAME}"
    _put(documents / "LICENSE", (ROOT / "LICENSE").read_bytes())
    _put(documents / BILL, (BUILD / BILL).read_bytes())


def _take(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotPack(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


# -- the image ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes of the image, which are named by their digest."""

    kind: str
    data: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def path(self) -> str:
        return f"blobs/{self.digest.replace(':', '/')}"

    def described(self, **more: Any) -> dict[str, Any]:
        """What another blob says of it."""
        return {"mediaType": self.kind, "digest": self.digest, "size": len(self.data), **more}


def layer(root: Path) -> tuple[Blob, str]:
    """A folder as a layer, and the digest of what it is uncompressed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            info = _settled(archive.gettarinfo(path, str(path.relative_to(root))))
            with path.open("rb") if info.isreg() else io.BytesIO() as content:
                archive.addfile(info, content if info.isreg() else None)
    plain = packed.getvalue()
    return Blob(_LAYER, gzip.compress(plain, 9, mtime=0)), f"sha256:{hashlib.sha256(plain).hexdigest()}"


def _settled(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry that depends on nobody's habits."""
    info.mtime, info.pax_headers = _DATE, {}
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    name = f"/{info.name}"
    if info.isdir():
        info.mode = 0o1777 if name == "/tmp" else 0o755
    elif info.isreg():
        runs = name == PROGRAM or ".so" in Path(name).name
        info.mode = 0o755 if runs else 0o644
    if name == DATA_DIR:
        info.uid = info.gid = USER
        info.mode = 0o700
    return info


def image(layers: list[tuple[Blob, str]], architecture: str) -> Iterator[tuple[str, bytes]]:
    """The files of the archive: OCI's layout, and beside it what `docker load` of older releases looks for."""
    tag = f"{NAME}:{__version__}"
    config = _json(_CONFIG, _config(architecture, [plain for _, plain in layers]))
    described = [blob.described() for blob, _ in layers]
    manifest = _json(
        _MANIFEST,
        {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config.described(), "layers": described},
    )
    named = {"org.opencontainers.image.ref.name": __version__, "io.containerd.image.name": f"docker.io/library/{tag}"}
    index = _json(
        _INDEX, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [manifest.described(annotations=named)]}
    )
    docker = [{"Config": config.path, "RepoTags": [tag], "Layers": [blob.path for blob, _ in layers]}]
    yield "oci-layout", b'{"imageLayoutVersion":"1.0.0"}'
    yield "index.json", index.data
    yield "manifest.json", json.dumps(docker).encode()
    for blob in sorted([config, manifest, *(blob for blob, _ in layers)], key=lambda blob: blob.path):
        yield blob.path, blob.data


def _config(architecture: str, plain: list[str]) -> dict[str, Any]:
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_DATE))
    return {
        "created": date,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "ExposedPorts": {"9292/tcp": {}, "5000/tcp": {}},
            "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
            "Entrypoint": [PROGRAM],
            "Cmd": ["serve"],
            "Volumes": {DATA_DIR: {}},
            "WorkingDir": DATA_DIR,
            "StopSignal": "SIGTERM",
            # Docker's own; others take the health check from their manifests.
            "Healthcheck": {"Test": CHECK, "Interval": 30 * 10**9, "Timeout": 10 * 10**9, "StartPeriod": 10 * 10**9},
            "Labels": {
                "org.opencontainers.image.title": "Glance appliance",
                "org.opencontainers.image.description": "OpenStack image service with its identity service",
                "org.opencontainers.image.version": __version__,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": plain},
        "history": [
            {"created": date, "created_by": f"{', '.join(PACKAGES)} of Debian"},
            {"created": date, "created_by": f"{NAME} {__version__}"},
        ],
    }


def _json(kind: str, document: Any) -> Blob:
    return Blob(kind, json.dumps(document, separators=(",", ":")).encode())


def write(target: Path, files: Iterator[tuple[str, bytes]]) -> None:
    """Make the archive."""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), _DATE, 0o644
            archive.addfile(info, io.BytesIO(data))


def main() -> int:
    """Build the image."""
    try:
        if not (BUILD / FOLDER).is_dir():
            raise CannotPack(f"{BUILD} has nothing to pack: `make binary` comes first")
        shutil.rmtree(STAGE, ignore_errors=True)
        system, program = STAGE / "system", STAGE / "program"
        system.mkdir(parents=True)
        lay_out_system(system)
        lay_out_files(system)
        lay_out_program(program)
        architecture = _run("dpkg", "--print-architecture").strip()
        OUT.mkdir(exist_ok=True)
        target = OUT / f"{NAME}_{__version__}_{architecture}.oci.tar"
        write(target, image([layer(system), layer(program)], architecture))
    except CannotPack as problem:
        print(f"no image: {problem}", file=sys.stderr)
        return 1
    print(f"{OUT.name}/{target.name}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

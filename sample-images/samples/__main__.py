"""`python -m samples`: leave a verified sample image in `sample-images/cache/`, or say in one sentence why none.

Whatever happens short of a wrong command line, the exit code is 0: the appliance serves without a sample as well.
"""

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from samples import NoSample, cache, debian, say, tiny_linux
from samples.fetch import fetch
from samples.manifest import FOLDER, Cirros, Manifest, TinyLinux, read


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="samples", description=__doc__)
    parser.add_argument("--sample", default="auto", help="auto, tiny-linux, or a name such as cirros-0.6.2")
    parser.add_argument("--cache", type=Path, default=FOLDER / "cache")
    parser.add_argument("--work", type=Path, default=FOLDER.parent / "build" / "sample-images")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    manifest = read()
    present = cache.read(options.cache)
    if present and _is_wanted(present[0], options.sample, manifest):
        return 0
    try:
        sample = _make(options.sample, manifest, options.cache, options.work)
    except NoSample as problem:
        reason = f"No sample image: {problem}."
        cache.write_reason(options.cache, reason)
        say(reason)
        return 0
    cache.write(options.cache, [sample])
    say(f"Sample image {sample.name}: {options.cache / sample.file}, {sample.size} bytes.")
    return 0


def _is_wanted(present: cache.Sample, asked: str, manifest: Manifest) -> bool:
    if asked not in ("auto", present.name):
        return False
    return present.recipe in {recipe_of(manifest.tiny_linux), *(recipe_of(image) for image in manifest.cirros)}


def recipe_of(source: Cirros | TinyLinux) -> str:
    """What changes when an image made from this source would change: the source, and for a built one the builder."""
    told = hashlib.sha256(repr(source).encode())
    if isinstance(source, TinyLinux):
        parts = [*(FOLDER / "guest").rglob("*"), *(FOLDER / "samples").glob("*.py")]
        for path in sorted(path for path in parts if path.is_file()):
            told.update(path.read_bytes())
    return told.hexdigest()


def _make(asked: str, manifest: Manifest, folder: Path, work: Path) -> cache.Sample:
    machine = platform.machine()
    if asked == manifest.tiny_linux.name:
        return _build(manifest.tiny_linux, folder, work)
    if asked != "auto":
        return _fetch(manifest.cirros_named(asked, machine), folder)
    official = manifest.cirros_for(machine)
    if official is None:
        raise NoSample(f"the manifest lists no CirrOS image for {machine}")
    try:
        return _fetch(official, folder)
    except NoSample as problem:
        say(f"CirrOS is out of reach: {problem}.")
        return _build(manifest.tiny_linux, folder, work)


def _fetch(image: Cirros, folder: Path) -> cache.Sample:
    target = folder / f"{image.name}-{image.architecture}-disk.img"
    fetch(image.url, target, image.digests, image.size)
    return cache.describe(
        target,
        name=image.name,
        disk_format="qcow2",
        min_disk=image.min_disk,
        min_ram=image.min_ram,
        properties=_properties("cirros", image),
        recipe=recipe_of(image),
        built_from=[image.url],
    )


def _build(recipe: TinyLinux, folder: Path, work: Path) -> cache.Sample:
    obstacle = debian.Archive.why_not()
    if obstacle is not None:
        raise NoSample(obstacle)
    say(f"Building {recipe.name} from Debian packages instead (about 75 MB to download).")
    started = time.monotonic()
    # Beside the target, so that it can be renamed into place; with our process id, so that two builds do not meet.
    part = folder / f"{tiny_linux.FILE}.{os.getpid()}.part"
    target = folder / tiny_linux.FILE
    try:
        packages = tiny_linux.build(recipe, work, part)
        part.replace(target)
    except subprocess.CalledProcessError as problem:
        raise NoSample(f"{problem.cmd[0]} failed while the stand-in was built") from problem
    finally:
        part.unlink(missing_ok=True)
    say(f"Built in {time.monotonic() - started:.0f} s.")
    return cache.describe(
        target,
        name=recipe.name,
        disk_format="qcow2",
        min_disk=recipe.min_disk,
        min_ram=recipe.min_ram,
        properties=_properties(recipe.name, recipe),
        recipe=recipe_of(recipe),
        built_from=packages,
    )


def _properties(distribution: str, source: Cirros | TinyLinux) -> dict[str, str]:
    return {
        "architecture": source.architecture,
        "description": source.description,
        "hw_disk_bus": "virtio",
        "hw_rng_model": "virtio",
        "hw_vif_model": "virtio",
        "os_admin_user": source.user,
        "os_distro": distribution,
        "os_type": "linux",
        "os_version": source.version,
    }


if __name__ == "__main__":
    sys.exit(main())

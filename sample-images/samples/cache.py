"""The folder that the appliance preloads images from: the files, and `index.json`, which describes them.

Files are put in place first and the index last, each by an atomic rename, so that a reader sees a whole description of
whole files at any moment.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from samples.fetch import digest

INDEX = "index.json"
REASON = "reason.txt"


@dataclass(frozen=True)
class Sample:
    """One image as the image service is to know it. Sizes of memory are MiB, of disks GiB, as in the image API."""

    file: str
    name: str
    disk_format: str
    container_format: str
    size: int
    md5: str
    sha512: str
    min_disk: int
    min_ram: int
    properties: dict[str, str]
    # What the file was made from, so that a change of the recipe or of the manifest makes it anew.
    recipe: str
    built_from: list[str] = field(default_factory=list)


def describe(
    path: Path,
    *,
    name: str,
    disk_format: str,
    min_disk: int,
    min_ram: int,
    properties: dict[str, str],
    recipe: str,
    built_from: list[str] | None = None,
) -> Sample:
    """The entry for a file that stands in the folder."""
    return Sample(
        file=path.name,
        name=name,
        disk_format=disk_format,
        container_format="bare",
        size=path.stat().st_size,
        md5=digest(path, "md5"),
        sha512=digest(path, "sha512"),
        min_disk=min_disk,
        min_ram=min_ram,
        properties=properties,
        recipe=recipe,
        built_from=built_from or [],
    )


def write(folder: Path, samples: list[Sample]) -> None:
    """Make these the folder's images: what is not among them goes."""
    _put(folder / INDEX, json.dumps([asdict(sample) for sample in samples], indent=2, sort_keys=True) + "\n")
    keep = {INDEX, *(sample.file for sample in samples)}
    for path in folder.iterdir():
        if path.name not in keep and path.is_file():
            path.unlink()


def write_reason(folder: Path, reason: str) -> None:
    """Say in the folder why it holds no image, for the appliance to repeat."""
    (folder / INDEX).unlink(missing_ok=True)
    _put(folder / REASON, reason + "\n")


def read(folder: Path) -> list[Sample]:
    """The folder's images, or none if one of them is missing, damaged, or described in a way not known here."""
    try:
        samples = [Sample(**entry) for entry in json.loads((folder / INDEX).read_text())]
        whole = all(_is_whole(folder / sample.file, sample) for sample in samples)
    except (OSError, ValueError, TypeError):
        return []
    return samples if whole else []


def _is_whole(path: Path, sample: Sample) -> bool:
    return path.stat().st_size == sample.size and digest(path, "sha512") == sample.sha512


def _put(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)

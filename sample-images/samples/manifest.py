"""`manifest.toml`, read into values."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samples import NoSample

FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Cirros:
    """One official disk image and what it must be."""

    version: str
    architecture: str
    url: str
    digests: dict[str, str]
    size: int | None
    min_disk: int
    min_ram: int
    user: str
    description: str

    @property
    def name(self) -> str:
        """What the image is called in the image service."""
        return f"cirros-{self.version}"


@dataclass(frozen=True)
class TinyLinux:
    """What the stand-in is made of."""

    version: str
    architecture: str
    epoch: int
    disk_serial: int
    kernel: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    min_disk: int
    min_ram: int
    user: str
    description: str
    name: str = "tiny-linux"


@dataclass(frozen=True)
class Manifest:
    """All that can be fetched or built."""

    cirros: tuple[Cirros, ...]
    tiny_linux: TinyLinux

    def cirros_for(self, architecture: str) -> Cirros | None:
        """The official image that a machine of this architecture gets."""
        return next((image for image in self.cirros if image.architecture == architecture), None)

    def cirros_named(self, name: str, architecture: str) -> Cirros:
        """The official image of this name, such as `cirros-0.5.2`, for this architecture if there is one."""
        named = [image for image in self.cirros if image.name == name]
        if not named:
            known = ", ".join(sorted({image.name for image in self.cirros}))
            raise NoSample(f"the manifest lists no {name}: choose one of {known} or {self.tiny_linux.name}")
        return next((image for image in named if image.architecture == architecture), named[0])


def read(path: Path = FOLDER / "manifest.toml") -> Manifest:
    """The manifest in this file."""
    table = tomllib.loads(path.read_text())
    common, tiny = table["cirros"], table["tiny-linux"]
    return Manifest(
        cirros=tuple(_cirros(common, image) for image in common["images"]),
        tiny_linux=TinyLinux(
            version=tiny["version"],
            architecture=tiny["architecture"],
            epoch=tiny["epoch"],
            disk_serial=tiny["disk_serial"],
            kernel=tiny["kernel"],
            packages=tuple(tiny["packages"]),
            modules=tuple(tiny["modules"]),
            min_disk=tiny["min_disk"],
            min_ram=tiny["min_ram"],
            user=tiny["user"],
            description=tiny["description"],
        ),
    )


def _cirros(common: dict[str, Any], image: dict[str, Any]) -> Cirros:
    return Cirros(
        version=image["version"],
        architecture=image["architecture"],
        url=image["url"],
        digests={name: image[name] for name in ("md5", "sha256", "sha512") if name in image},
        size=image.get("size"),
        min_disk=common["min_disk"],
        min_ram=common["min_ram"],
        user=common["user"],
        description=common["description"],
    )

"""`version` and `licenses`: what the program is made of, and what was put into the executable beside it."""

import dataclasses
import importlib
import platform
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

from appliance import __version__
from appliance.cli.commands import PROGRAM, switch, verb
from appliance.errors import Fatal
from appliance.settings import Settings

LICENCES = "licenses.txt"
NO_SAMPLES = "none"
"""As the setting `sample_images`: register none, not even bundled ones."""

_PARTS = (
    "blake3",
    "bottle",
    "click",
    "cryptography",
    "fastjsonschema",
    "lz4",
    "oauthlib",
    "obstore",
    "oslo.utils",
    "prometheus_client",
    "psycopg",
    "pyjwt",
    "pyyaml",
    "sqlite-utils",
    "waitress",
    "zstandard",
)


@verb()
@switch("--verbose", help="print the compiled libraries below those parts as well")
def version(verbose: bool) -> int:
    for name, number in parts(verbose).items():
        print(f"{name} {number}")
    return 0


def parts(with_libraries: bool = False) -> dict[str, str]:
    """The versions of the program and of its parts, and if asked for of the compiled libraries below those."""
    found = {PROGRAM: __version__, "python": platform.python_version()}
    for part in _PARTS:
        try:
            found[part] = version_of(part)
        except PackageNotFoundError:
            found[part] = "unknown"
    if with_libraries:
        # Loaded when asked for: it takes the database's and the cryptography's half of the program.
        found |= importlib.import_module("appliance.cli.libraries").LIBRARIES
    return found


@verb()
def licenses() -> int:
    sys.stdout.write(licences())
    return 0


def licences() -> str:
    """The licences of all that the executable is made of."""
    if not getattr(sys, "frozen", False):
        raise Fatal(
            "the licences of all parts are gathered when the executable is built; here each package has its own, "
            "in the folder where pip installed it"
        )
    return (Path(getattr(sys, "_MEIPASS", "")) / LICENCES).read_text(encoding="utf-8")


def with_bundled_samples(settings: Settings) -> Settings:
    """The settings, with the executable's own sample images where none are named."""
    bundled = Path(getattr(sys, "_MEIPASS", "")) / "sample-images"
    if settings.sample_images == NO_SAMPLES:
        return dataclasses.replace(settings, sample_images="")
    # A checkout has a folder of that name too, with other things in it.
    if settings.sample_images or not getattr(sys, "frozen", False) or not bundled.is_dir():
        return settings
    return dataclasses.replace(settings, sample_images=str(bundled))

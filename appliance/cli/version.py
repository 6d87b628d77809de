"""`version`: what this is and what it is made of."""

import argparse
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from appliance import __version__

_PARTS = (
    "blake3",
    "bottle",
    "cryptography",
    "fastjsonschema",
    "lz4",
    "oslo.utils",
    "pyjwt",
    "sqlite-utils",
    "waitress",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(_: argparse.Namespace) -> int:
    print(f"glance-appliance {__version__}")
    print(f"python {platform.python_version()}")
    for part in _PARTS:
        try:
            print(f"{part} {version_of(part)}")
        except PackageNotFoundError:
            print(f"{part} unknown")
    return 0

"""`version`: what this is and what it is made of."""

import argparse
import importlib
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
    "pyyaml",
    "sqlite-utils",
    "waitress",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", action="store_true", help="print the compiled libraries below those parts as well")


def run(arguments: argparse.Namespace) -> int:
    print(f"glance-appliance {__version__}")
    print(f"python {platform.python_version()}")
    for part in _PARTS:
        try:
            print(f"{part} {version_of(part)}")
        except PackageNotFoundError:
            print(f"{part} unknown")
    if arguments.verbose:
        # Loaded when asked for: it takes the database's and the cryptography's half of the program.
        for name, version in importlib.import_module("appliance.cli.libraries").LIBRARIES.items():
            print(f"{name} {version}")
    return 0

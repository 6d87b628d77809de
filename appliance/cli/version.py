"""`version`: the version of the appliance and of its parts."""

import argparse
import importlib
import platform
import ssl
import zlib
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from cryptography.hazmat.backends.openssl import backend

from appliance import __version__
from appliance.db.engine.sqlite import SQLITE_VERSION

LIBRARIES = {
    "openssl": ssl.OPENSSL_VERSION.split()[1],
    "openssl-cryptography": backend.openssl_version_text().split()[1],
    "sqlite": SQLITE_VERSION,
    "zlib": zlib.ZLIB_RUNTIME_VERSION,
    "glibc": platform.libc_ver()[1] or "none",
}
"""Each with its version. Outgoing connections use the first OpenSSL; tokens, passwords and signatures the second."""


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

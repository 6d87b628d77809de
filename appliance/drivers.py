"""Loads the drivers of databases and object stores, when one is configured.

In the executable, which is unpacked at each start, their libraries are packed once more, for most never need them.
"""

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

from appliance.errors import Fatal

PACKED = "drivers.zip"
_lock = threading.Lock()


def load(name: str, whose: str) -> ModuleType:
    """A module of this program that imports a driver. Raises `Fatal`, in the name of who asks, if that can't be had."""
    try:
        _unpack()
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Fatal(
            f"{whose} needs the library {error.name}, which is not installed: make setup installs it."
        ) from error
    except OSError as error:
        raise Fatal(f"{whose} needs a library that can't be unpacked: {error.strerror or error}") from error


def _unpack() -> None:
    """Put the libraries where the program's own are."""
    place = getattr(sys, "_MEIPASS", None)
    if place is None:
        return
    with _lock:
        packed = Path(place, PACKED)
        if packed.exists():
            with ZipFile(packed) as libraries:
                libraries.extractall(place)
            packed.unlink()
            importlib.invalidate_caches()

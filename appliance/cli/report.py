"""The report of `doctor`: what whoever helps needs to know of an appliance, without secrets and without names.

What is in it are versions, settings, sizes and counts. No name or id of an image, a user or a project is.
"""

import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from appliance.blobs.backends.base import Backend
from appliance.cli.about import parts
from appliance.cli.config import shown
from appliance.cli.flags import Flags
from appliance.datadir import DataDir
from appliance.db.export import figures
from appliance.errors import ApplianceError, Fatal
from appliance.image.store_settings import store_backends, with_recorded_stores
from appliance.setting_sources import sources
from appliance.settings import Settings
from appliance.values import micros_text, now


def write_report(target: Path, flags: Flags, settings: Settings, findings: Counter[str]) -> None:
    """Write what there is to know of a data directory, in use or not, after an examination that had `findings`."""
    directory = DataDir(settings.data_dir)
    total, free = directory.room()
    report = {
        "at": micros_text(now()),
        "versions": parts(with_libraries=True),
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "settings": {
            name: {"value": shown(name, getattr(settings, name)), "source": source}
            for name, source in sorted(sources(flags).items())
            if hasattr(settings, name)
        },
        "findings": dict(findings),
        "in_use": directory.holder() is not None,
        "disk": {"size": total, "free": free},
        "files": dict(_files(directory.path)),
        "database": _told(lambda: figures(directory.database)),
        "stores": _told(lambda: _stores(settings, directory)),
    }
    try:
        with open(target, "x", encoding="utf-8", opener=_private) as file:
            json.dump(report, file, indent=2)
            file.write("\n")
    except FileExistsError as error:
        raise Fatal(f"{target} exists already, and a report overwrites nothing") from error
    except OSError as error:
        raise Fatal(f"can't write {target}: {os.strerror(error.errno or 0)}") from error
    print(
        f"the report is in {target}: no secrets, no names of images, users or projects; read it before you pass it on"
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _told(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """An answer, or why there is none: a report is most needed where something is broken."""
    try:
        return ask()
    except ApplianceError as error:
        return {"error": str(error)}


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """The sizes of what is directly in the directory, and of what is in each directory there."""
    for path in sorted(root.iterdir()):
        inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
        yield path.name, sum(one.lstat().st_size for one in inside)


def _stores(settings: Settings, directory: DataDir) -> dict[str, Any]:
    backends = store_backends(with_recorded_stores(settings, directory), directory)
    try:
        return {name: _store(backend) for name, backend in backends.items()}
    finally:
        for backend in backends.values():
            backend.close()


def _store(backend: Backend) -> dict[str, Any]:
    there = backend.is_there()
    sizes = [backend.size(name) or 0 for name in backend.names()] if there else []
    return {
        "remote": backend.is_remote,
        "there": there,
        "trouble": backend.trouble(),
        "segments": len(sizes),
        "stored": sum(sizes),
        "free": backend.free_space() if there else None,
    }

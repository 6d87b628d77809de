"""Which stores a data directory has, written down beside its data: what verbs without the service's settings go by.

`serve` takes its stores from flags, variables or a file that may be anywhere. It leaves them in `stores.json`, so that
a backup or a doctor that is called with nothing but the directory finds all of them.
"""

import dataclasses
import json
from pathlib import Path

from appliance.blobs.durable import Disk, replace_file
from appliance.datadir import DataDir
from appliance.db.store_names import stores_in_use
from appliance.errors import ApplianceError, Fatal
from appliance.image.store_setup import SINGLE, store_directories, store_paths
from appliance.settings import Settings


def write_record(settings: Settings, directory: DataDir) -> None:
    """Note the stores of these settings, places in full, unless they are noted already."""
    items = []
    for name, path in store_paths(settings, directory).items():
        items.append(f"{name}:http" if path is None else _item(name, path.absolute(), directory))
    if not settings.enabled_backends:
        items = []
    text = json.dumps({"enabled_backends": items, "default_backend": settings.default_backend}, indent=1) + "\n"
    path = directory.store_record
    if not path.is_file() or path.read_text() != text:
        replace_file(Disk(), path, text.encode())


def _item(name: str, path: Path, directory: DataDir) -> str:
    inside = directory.blobs if name == SINGLE else directory.stores / name
    return f"{name}:file" if path == inside else f"{name}:file:{path}"


def with_recorded_stores(settings: Settings, directory: DataDir) -> Settings:
    """The settings, with the directory's own stores unless they name others. Raises `Fatal` if those don't fit."""
    items, default = _recorded(directory) or (_found(directory), "")
    if items and not settings.enabled_backends:
        settings = dataclasses.replace(settings, enabled_backends=items, default_backend=default)
    names = {item.split(":")[0] for item in items if not item.endswith(":http")} | set(_in_use(directory))
    if lacking := sorted(names - set(store_directories(settings, directory))):
        raise Fatal(
            f"{directory.path} has the store {', '.join(lacking)} too, and nothing says where: name every store with "
            "--enabled-backends, as it is for `serve`"
        )
    return settings


def inside(settings: Settings) -> Settings:
    """The same stores for a copy that keeps all of them within its directory."""
    items = tuple(":".join(item.split(":", 2)[:2]) for item in settings.enabled_backends)
    return dataclasses.replace(settings, enabled_backends=items)


def _recorded(directory: DataDir) -> tuple[tuple[str, ...], str] | None:
    """The stores as items of `enabled_backends`, and the default one."""
    try:
        found = json.loads(directory.store_record.read_text())
        return tuple(str(item) for item in found["enabled_backends"]), str(found["default_backend"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fatal(f"{directory.store_record} can't be read ({error}); the next `serve` writes it anew") from error


def _found(directory: DataDir) -> tuple[str, ...]:
    """What a directory of before there were records shows: the stores inside it, unless there is but the one."""
    inside = sorted(path.name for path in directory.stores.iterdir()) if directory.stores.is_dir() else []
    names = ([SINGLE] if directory.blobs.is_dir() else []) + inside
    return tuple(f"{name}:file" for name in names) if inside else ()


def _in_use(directory: DataDir) -> list[str]:
    try:
        return stores_in_use(directory.database) if directory.database.is_file() else []
    except ApplianceError:
        # A damaged database says nothing; whoever opens it next says why.
        return []

"""Which stores there are and where, by the settings, or by the record that a data directory keeps of them."""

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from appliance.blobs.backends.base import Backend
from appliance.blobs.backends.registry import KINDS, Location, connect
from appliance.blobs.durable import Disk, replace_file
from appliance.datadir import DataDir
from appliance.db.engine.files import stores_in_use
from appliance.errors import ApplianceError, Fatal, WrongUsage
from appliance.settings import Settings

SINGLE = "main"
"""The store of an appliance that has one. It keeps its name and its place when others join it."""

SECRET_OPTIONS = ("secret_key", "password", "key")

_ID = re.compile(r"(?!os_glance_)[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def store_locations(settings: Settings, directory: DataDir) -> dict[str, Location | None]:
    """Where each store is by its id, in the order of the settings; None for a read-only one behind URLs.

    Raises `WrongUsage` for settings that can't be meant.
    """
    found: dict[str, Location | None] = {}
    options = _options(settings)
    for item in settings.enabled_backends or (f"{SINGLE}:{settings.store_url or 'file'}",):
        name, kind, place = (item.split(":", 2) + ["", ""])[:3]
        if not _ID.fullmatch(name) or name in found:
            raise WrongUsage(f"enabled_backends: {item!r} has no name of its own that a store can have")
        if kind == "http" and not place:
            found[name] = None
        elif kind == "file":
            found[name] = Location(name, kind, "", Path(place) if place else inside_path(directory, name))
        elif kind in KINDS:
            place = place.removeprefix(f"{kind}:").strip("/")
            found[name] = Location(name, kind, place, directory.remote / name, options.pop(name, {}))
        else:
            raise WrongUsage(
                f"enabled_backends: {item!r} is neither id:file, id:file:DIRECTORY, id:s3://BUCKET/PREFIX, "
                "id:swift://CONTAINER/PREFIX, id:rados://POOL/PREFIX nor id:http"
            )
    if not any(found.values()):
        raise WrongUsage("enabled_backends: at least one store must be of a type that can be written, such as file")
    if options:
        raise WrongUsage(f"store_options: there is no remote store {min(options)!r}")
    return found


def _options(settings: Settings) -> dict[str, dict[str, str]]:
    """The options of each store."""
    found: dict[str, dict[str, str]] = {}
    for item in settings.store_options:
        name, colon, option = item.partition(":")
        key, equals, value = option.partition("=")
        if not colon or not equals:
            # Not in full: it may have a secret.
            raise WrongUsage(f"store_options: what begins with {name[:20]!r} is not of the form id:option=value")
        found.setdefault(name, {})[key.strip()] = value.strip()
    return found


def inside_path(directory: DataDir, store: str) -> Path:
    """A store's own directory within the data directory."""
    return directory.blobs if store == SINGLE else directory.stores / store


def former_location(settings: Settings, directory: DataDir) -> Location | None:
    """The single store of before, if it is there and the settings name others and not it: it stays readable."""
    if SINGLE in store_locations(settings, directory) or not directory.blobs.is_dir():
        return None
    return Location(SINGLE, "file", "", directory.blobs)


def store_backends(settings: Settings, directory: DataDir) -> dict[str, Backend]:
    """The backend of each store by its id, the former single store's too if it is there."""
    locations = [*store_locations(settings, directory).values(), former_location(settings, directory)]
    return {location.store: connect(location) for location in locations if location is not None}


def by_store(setting: str, items: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """`("a:1", "b:2")` → `{"a": "1", "b": "2"}`."""
    found = {}
    for item in items:
        name, _, value = item.partition(":")
        if name not in known:
            raise WrongUsage(f"{setting}: there is no store {name!r}")
        found[name] = value
    return found


# -- the record ------------------------------------------------------------------------------------------------------


def write_record(settings: Settings, directory: DataDir) -> None:
    """Note the stores of these settings, places in full, unless they are noted already."""
    locations = store_locations(settings, directory)
    items = [_item(name, location, directory) for name, location in locations.items()]
    record: dict[str, object] = {
        "enabled_backends": items if settings.enabled_backends else [],
        "default_backend": settings.default_backend,
    }
    if settings.store_url:
        record["store_url"] = settings.store_url
    if options := [item for item in settings.store_options if not _is_secret(item)]:
        record["store_options"] = options
    text = json.dumps(record, indent=1) + "\n"
    path = directory.store_record
    if not path.is_file() or path.read_text() != text:
        replace_file(Disk(), path, text.encode())


def _is_secret(option: str) -> bool:
    """What is not written down a second time."""
    return option.partition(":")[2].partition("=")[0].strip() in SECRET_OPTIONS


def _item(name: str, location: Location | None, directory: DataDir) -> str:
    if location is None:
        return f"{name}:http"
    if location.kind != "file":
        return f"{name}:{location.kind}://{location.place}"
    path = location.directory.absolute()
    return f"{name}:file" if path == inside_path(directory, name) else f"{name}:file:{path}"


def with_recorded_stores(settings: Settings, directory: DataDir) -> Settings:
    """The settings, with the directory's own stores unless they name others. Raises `Fatal` if those don't fit."""
    recorded = _recorded(directory) or {"enabled_backends": _found(directory)}
    items = recorded.get("enabled_backends", ())
    if not settings.enabled_backends and not settings.store_url:
        if settings.store_options:
            recorded.pop("store_options", None)
        settings = dataclasses.replace(settings, **recorded)
    names = {item.split(":")[0] for item in items if not item.endswith(":http")} | set(_in_use(directory))
    if lacking := sorted(names - set(store_backends(settings, directory))):
        raise Fatal(
            f"{directory.path} has the store {', '.join(lacking)} too, and nothing says where: name every store with "
            "--enabled-backends, as it is for `serve`"
        )
    return settings


def inside(settings: Settings) -> Settings:
    """The same stores for a copy that keeps all of them within its directory."""
    names = [(item.split(":")[0], item.endswith(":http")) for item in settings.enabled_backends]
    items = tuple(f"{name}:{'http' if is_http else 'file'}" for name, is_http in names)
    return dataclasses.replace(settings, enabled_backends=items, store_url="", store_options=())


def _recorded(directory: DataDir) -> dict[str, Any] | None:
    """The settings that the record has."""
    try:
        found = json.loads(directory.store_record.read_text())
        recorded: dict[str, Any] = {
            "enabled_backends": tuple(str(item) for item in found["enabled_backends"]),
            "default_backend": str(found["default_backend"]),
        }
        if found.get("store_url"):
            recorded["store_url"] = str(found["store_url"])
        if found.get("store_options"):
            recorded["store_options"] = tuple(str(item) for item in found["store_options"])
        return recorded
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

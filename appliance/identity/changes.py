"""What every resource that can be changed has in common: merging, immutability, names that are taken."""

from collections.abc import Iterator
from contextlib import contextmanager

from appliance.db.database import IntegrityError
from appliance.db.records import Record
from appliance.errors import Conflict, Forbidden, Invalid


def merged(record: Record, changes: Record) -> Record:
    """The record after a PATCH. Of `options` only those given change; a null takes one away."""
    if "id" in changes and changes["id"] != record["id"]:
        raise Invalid("Cannot change ID.")
    result = {**record, **changes}
    if "options" in changes:
        options = {**record.get("options", {}), **changes["options"]}
        result["options"] = {name: value for name, value in options.items() if value is not None}
    return result


def immutable(record: Record) -> bool:
    return bool(record.get("options", {}).get("immutable"))


def refuse_if_immutable(kind: str, record: Record, changes: Record | None = None) -> None:
    """Raise `Forbidden` for a delete, or for changes other than one that only makes the record mutable."""
    if not immutable(record):
        return
    if changes is not None and set(changes) == {"options"} and changes["options"].get("immutable", True) is not True:
        return
    doing = "delete" if changes is None else "update"
    raise Forbidden(f"Unable to {doing} immutable {kind} resource: {record['id']}.")


@contextmanager
def names_unique(kind: str, name: str) -> Iterator[None]:
    """Turn a broken constraint in the block into `Conflict`."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}.") from (
            error
        )

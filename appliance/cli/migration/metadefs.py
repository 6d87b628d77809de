"""Metadata definitions of another Glance: namespace by namespace, each whole or not at all."""

from typing import Any
from urllib.parse import quote

from appliance.cli.client.calls import Refused
from appliance.cli.client.session import Session
from appliance.cli.migration.notes import Notes
from appliance.errors import ApplianceError

_PATH = "/v2/metadefs/namespaces"
_NOT_TAKEN = frozenset({"self", "schema", "created_at", "updated_at"})
_PAGE = 100


def move(source: Session, target: Session, notes: Notes) -> None:
    """Take over every namespace whose name is not here yet. Those that came with the service are here."""
    try:
        listed = list(source.pages("image", _PATH, "namespaces", [("limit", _PAGE)]))
    except Refused as error:
        notes.leave("the metadata definitions", error)
        return
    for one in listed:
        name = str(one["namespace"])
        try:
            _take(source, target, notes, name)
        except ApplianceError as error:
            notes.leave(f"metadata definitions {name}", error)


def _take(source: Session, target: Session, notes: Notes, name: str) -> None:
    try:
        target.get("image", f"{_PATH}/{quote(name, safe='')}")
    except Refused as error:
        if error.status != 404:
            raise
        document = _plain(source.get("image", f"{_PATH}/{quote(name, safe='')}"))
        target.call("POST", "image", _PATH, document)
        notes.count("namespaces of metadata definitions copied")
        return
    notes.count("namespaces of metadata definitions that were here already")


def _plain(value: Any) -> Any:
    """A document without the links and times of the service that it comes from."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key not in _NOT_TAKEN and part is not None}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value

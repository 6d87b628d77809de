"""Brings metadata definitions from one service to another, and keeps account of what has been brought."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from appliance.cli.client.calls import Refused
from appliance.cli.client.output import say
from appliance.cli.client.session import Session
from appliance.errors import ApplianceError


@dataclass
class Notes:
    """Counts by what was done, and a sentence for each thing that was left behind."""

    done: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def leave(self, what: str, why: object) -> None:
        """Something stays where it is; the migration goes on."""
        sentence = f"{what}: {why}"
        self.left.append(sentence)
        say(f"Could not take {sentence}")

    def tell(self) -> None:
        """The summary, on standard output."""
        for what, number in self.done.items():
            print(f"{what}: {number}")
        for sentence in self.left:
            print(f"not taken: {sentence}")
        if not self.done and not self.left:
            print("there was nothing to take")


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

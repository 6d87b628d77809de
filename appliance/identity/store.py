"""What the resources share: the identity store's transactions, and how a change is merged and checked."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from appliance.db.engine.base import Database, IntegrityError, Reader, Result, Tx
from appliance.db.identity.grants import Role
from appliance.db.identity.projects import Project
from appliance.db.nodes import counter, raise_counter
from appliance.db.records import Page, R, Record, Table, attributes, find
from appliance.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.values import Clock

_COUNTER = "identity"


class IdentityStore:
    """The database as the identity package uses it.

    `generation` grows with every write, before the writer's request is answered. What was derived from rows is valid
    for as long as the generation that was read *before* them is still the current one.
    """

    def __init__(self, db: Database, clock: Clock, *, shared: bool = False) -> None:
        """`shared` if other processes write the same rows: then the generation is a row as well."""
        self.db = db
        self.clock = clock
        self.shared = shared
        self._generation = 0

    @property
    def generation(self) -> int:
        return counter(self.db, _COUNTER) if self.shared else self._generation

    def transact(self, function: Callable[[Tx], Result]) -> Result:
        """Run `function` in a write transaction on identity rows, as `Database.transact` does."""
        if self.shared:
            return self.db.transact(lambda tx: (function(tx), raise_counter(tx, _COUNTER))[0])
        result = self.db.transact(function)
        # Not atomic, and need not be: two writers that make one step of it still make a step.
        self._generation += 1
        return result


def refuse_new_id(changes: Record, record_id: str) -> None:
    """Raise `Invalid` for changes that name another id. A null names none."""
    if changes.get("id") not in (None, record_id):
        raise Invalid("Cannot change ID.")


def given_options(options: Record) -> Record:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def merged(table: Table[R], row: R, changes: Record) -> R:
    """The row after a PATCH. Of `options` only those given change; a null takes one away."""
    now = attributes(row)
    refuse_new_id(changes, now["id"])
    changes = {**changes, "id": now["id"]}
    if "options" in changes:
        changes["options"] = given_options({**now.get("options", {}), **changes["options"]})
    return table.changed(row, changes)


def refuse_if_immutable(kind: str, row: Project | Role, changes: Record | None = None) -> None:
    """Raise `Forbidden` for a delete, or for changes other than one that only makes the row mutable."""
    if not row.options.get("immutable"):
        return
    if changes is not None and set(changes) == {"options"} and changes["options"].get("immutable", True) is not True:
        return
    doing = "delete" if changes is None else "update"
    raise Forbidden(f"Unable to {doing} immutable {kind} resource: {row.id}.")


def refuse_doubled(kind: str, what: str, parts: Sequence[Hashable]) -> None:
    """Raise `Conflict` for a list that names one thing twice."""
    if len(set(parts)) < len(parts):
        raise Conflict(f"Conflict occurred attempting to store {kind} - Duplicate entry found with {what}.")


def require_marker(reader: Reader, table: Table[Any], page: Page) -> None:
    """Raise `NotFound` for a page after something that does not exist."""
    if page.marker is not None and find(reader, table, page.marker) is None:
        raise NotFound(f"Marker {page.marker} could not be found.")


@contextmanager
def names_unique(kind: str, name: str) -> Iterator[None]:
    """Turn a broken constraint in the block into `Conflict`."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}.") from (
            error
        )

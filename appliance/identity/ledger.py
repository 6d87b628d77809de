"""The identity package's way to its rows: reads as they are, writes that tell every cache that something changed."""

from collections.abc import Iterator
from contextlib import contextmanager

from appliance.db.database import Database, Tx
from appliance.values import Clock


class Ledger:
    """The database as the identity package uses it.

    `generation` grows with every write, before the writer's request is answered. What was derived from rows is valid
    for as long as the generation that was read *before* them is still the current one.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.generation = 0

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A write transaction on identity rows."""
        with self.db.write() as tx:
            yield tx
        # Not atomic, and need not be: two writers that make one step of it still make a step.
        self.generation += 1

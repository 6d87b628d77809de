"""OAuth1 consumers: third parties, registered and no more. Their secret is shown once, when it is made."""

import secrets
from collections.abc import Iterable

from appliance.db.consumers import CONSUMERS
from appliance.db.records import ALL, Filter, Page, Record, delete, find, insert, select, update
from appliance.errors import NotFound
from appliance.identity.changes import merged
from appliance.identity.ledger import Ledger
from appliance.values import new_hex_id


class Consumers:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, consumer_id: str) -> Record:
        """The consumer without its secret."""
        return _public(self._stored(consumer_id))

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Record]:
        return [_public(consumer) for consumer in select(self._ledger.db, CONSUMERS, filters, page)]

    def create(self, description: str | None) -> Record:
        """The consumer with its secret."""
        created: Record = {"id": new_hex_id(), "description": description, "secret": secrets.token_hex(16)}
        with self._ledger.write() as tx:
            insert(tx, CONSUMERS, created)
        return created

    def update(self, consumer_id: str, changes: Record) -> Record:
        changed = merged(self._stored(consumer_id), changes)
        with self._ledger.write() as tx:
            update(tx, CONSUMERS, changed)
        return self.get(consumer_id)

    def delete(self, consumer_id: str) -> None:
        self._stored(consumer_id)
        with self._ledger.write() as tx:
            delete(tx, CONSUMERS, consumer_id)

    def _stored(self, consumer_id: str) -> Record:
        consumer = find(self._ledger.db, CONSUMERS, consumer_id)
        if consumer is None:
            raise NotFound("Consumer not found")
        return consumer


def _public(consumer: Record) -> Record:
    return {key: value for key, value in consumer.items() if key != "secret"}

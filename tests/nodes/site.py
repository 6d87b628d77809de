"""Several nodes in this process, on one PostgreSQL and one bucket of a real object store."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from tests.api.served import Served, serving
from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed
from tests.databases import server
from tests.waiting import eventually

LEASE = 6
"""Seconds. Renewed five times as often, also on a machine that does much else."""


class Site:
    """What the nodes share, and the nodes by their names."""

    def __init__(self, directory: Path, store: Seaweed, bucket: str, url: str = "") -> None:
        self.directory = directory
        self.url = url or server().create_current()
        self.key = directory / "site-key"
        self.key.write_bytes(Fernet.generate_key())
        self.options = (
            f"main:endpoint={store.endpoint}",
            f"main:access_key={KEY}",
            f"main:secret_key={SECRET}",
        )
        self.store_url = f"s3://{bucket}/{os.urandom(6).hex()}"
        self.nodes: dict[str, Served] = {}
        self._renewing: dict[str, threading.Lock] = {}
        self._held = ExitStack()

    @contextmanager
    def running(self, name: str, **settings: Any) -> Iterator[Served]:
        """A node, until the block ends."""
        usual: dict[str, Any] = {
            "database": self.url,
            "site_key_file": str(self.key),
            "node_name": name,
            "node_lease": LEASE,
            "store_url": self.store_url,
            "store_options": self.options,
            "scrub_interval_days": 0,
            "collect_interval": 0,
            "import_allowed_hosts": ("127.0.0.1",),
            "import_allowed_ports": (),
        }
        with serving(self.directory / name, **{**usual, **settings}) as served:
            self.nodes[name] = served
            self._hold(served, self._renewing.setdefault(name, threading.Lock()))
            try:
                yield served
            finally:
                del self.nodes[name]

    @staticmethod
    def _hold(served: Served, lock: threading.Lock) -> None:
        """Have its lease renewed only by whoever has the lock."""
        lease: Any = served.appliance.db.lease  # type: ignore[attr-defined]
        renew = lease.renew

        def renew_with_lock() -> None:
            with lock:
                renew()

        lease.renew = renew_with_lock

    def start(self, name: str, **settings: Any) -> Served:
        """A node, until the site is closed."""
        return self._held.enter_context(self.running(name, **settings))

    def close(self) -> None:
        self._held.close()

    def execute(self, sql: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def snapshot(self) -> dict[str, list[Any]]:
        """Every row that clients have a part in."""
        tables = ("images", "image_tags", "contents", "tasks", "users", "services", "revocations", "used_proofs")
        return {table: sorted(self.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}

    @contextmanager
    def asleep(self, name: str) -> Iterator[None]:
        """A node that sleeps for longer than its lease, or whose way to the database is cut: the others go on without.

        What it is at goes on, as if it knew nothing of that. After the block it notices, and begins anew.
        """
        with self._renewing[name]:
            self.execute(
                "UPDATE nodes SET expires_at = 0, state = 'lost', generation = generation + 1 WHERE name = %s", name
            )
            yield
        self._begin_again(name)

    def _begin_again(self, name: str) -> None:
        """Wait until an expelled node has noticed, and has a lease again."""
        lease = self.nodes[name].appliance.db.lease  # type: ignore[attr-defined]

        def has_begun() -> bool:
            ((state, generation),) = self.execute("SELECT state, generation FROM nodes WHERE name = %s", name)
            return bool(state == "serving" and generation == lease.generation and lease.is_held)

        eventually(has_begun, 60)

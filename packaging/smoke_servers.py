"""The database server and the object store that the smoke test tries the executable's drivers with: the tests' own."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.blobs.backends.seaweed import KEY, SECRET, free_ports, seaweed, weed
from tests.postgresql import programs
from tests.postgresql import server as postgresql


@contextmanager
def servers(directory: Path) -> Iterator[dict[str, tuple[str, ...]]]:
    """What the tests start of PostgreSQL and SeaweedFS: the settings for each. Those that can't be had are missing."""
    found: dict[str, tuple[str, ...]] = {}
    (port,) = free_ports(1)
    with ExitStack() as running:
        if programs() is not None:
            address = running.enter_context(postgresql(port)).create().partition("?")[0]
            found["psycopg"] = ("--database", address.replace("@/", f"@127.0.0.1:{port}/"))
        if weed() is not None:
            store = running.enter_context(seaweed(directory))
            options = {"endpoint": store.endpoint, "access_key": KEY, "secret_key": SECRET}
            given = ",".join(f"main:{name}={value}" for name, value in options.items())
            found["obstore"] = ("--store-url", f"s3://{store.bucket()}/smoke", "--store-options", given)
        yield found

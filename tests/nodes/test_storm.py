"""Real node processes under load, killed, stopped and cut off from their database; a checker judges what they answered.

`NODES_SECONDS` is how long the long form goes on; `NODES_SEED` repeats the choices of one.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.blobs.backends.fault_proxy import fault_proxy
from tests.blobs.backends.seaweed import Seaweed
from tests.nodes.balancer import programs
from tests.nodes.cluster import Cluster
from tests.nodes.history import OK, violations
from tests.nodes.storm import QUOTA, Clients, Faults
from tests.waiting import eventually

SECONDS = float(os.environ.get("NODES_SECONDS", "60"))
SEED = int(os.environ.get("NODES_SEED", str(int(time.time()))))


@contextmanager
def cluster_of(directory: Path, store: Seaweed, bucket: str, count: int) -> Iterator[Cluster]:
    if programs() is None:
        pytest.skip("there is no haproxy: apt-get install haproxy")
    with fault_proxy(store.endpoint) as (endpoint, plan):
        made = Cluster(directory, endpoint, plan, bucket, count, SEED)
        try:
            yield made
        finally:
            made.close()


def storm(cluster: Cluster, work: Callable[[Faults], None]) -> None:
    """Clients at work while things go wrong, and a last look at every image when all is well again."""
    clients, faults = Clients(cluster), Faults(cluster)
    try:
        work(faults)
    finally:
        clients.stop()
    assert clients.errors == []
    cluster.log_in()
    for call in cluster.history.of("create"):
        if call.outcome == OK:
            clients.look(call.subject)
    told = Counter((call.kind, call.outcome) for call in cluster.history.calls)
    print(
        f"\nseed {SEED}; {', '.join(faults.done)}; " + ", ".join(f"{k} {o} {n}" for (k, o), n in sorted(told.items()))
    )
    assert violations(cluster.history, QUOTA) == [], f"seed {SEED}\n{cluster.log()}"
    # A storm in which nothing was done has proven nothing.
    assert all(told[kind, OK] for kind in ("create", "upload", "read", "delete", "take", "revoke", "use"))


def test_a_node_that_dies_loses_nothing(tmp_path: Path, server: Seaweed, bucket: str) -> None:
    """The short form: two nodes, one death."""

    def work(faults: Faults) -> None:
        time.sleep(1)
        faults.kill(away=0.0)
        time.sleep(1)

    with cluster_of(tmp_path, server, bucket, 2) as cluster:
        storm(cluster, work)


@pytest.mark.slow
def test_a_storm(tmp_path: Path, server: Seaweed, bucket: str) -> None:
    """The long form: three nodes, killed, paused for longer than a lease, cut off from database and store. No leaks."""
    with cluster_of(tmp_path, server, bucket, 3) as cluster:
        storm(cluster, lambda faults: faults.run(time.monotonic() + SECONDS))
        token = cluster.log_in()

        def images() -> list[str]:
            _, _, data = cluster.request("GET", "image", "/v2/images?limit=1000", X_Auth_Token=token)
            return [image["id"] for image in json.loads(data).get("images", [])]

        while found := images():
            for image_id in found:
                cluster.request("DELETE", "image", f"/v2/images/{image_id}", X_Auth_Token=token)
        prefix = cluster.prefix
        eventually(lambda: server.objects(bucket, f"{prefix}/segments") == {}, 180)

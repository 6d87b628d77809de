"""Figures for Prometheus. Loaded only where they are switched on, and the library with them.

Every label has few values: a route's template, a method, a class of status codes, a state. Never an id or a name.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from appliance import __version__
from appliance.activity.history import History
from appliance.activity.running import DOWNLOAD, UPLOAD, Jobs, Transfers

_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
_STUCK = 3600 * 1_000_000
_SECOND = 1_000_000

Health = Callable[[], dict[str, str | None]]
"""What is wrong with each part, or None."""


class Metrics:
    """Counts requests as they are answered, and reads the rest when it is asked for."""

    def __init__(
        self,
        history: History,
        transfers: Transfers,
        jobs: Jobs,
        health: Health,
        disk: Callable[[], tuple[int, int]],
        key_age: Callable[[], float],
        certificate_expires: Callable[[], float | None],
        nodes: Callable[[], Mapping[str, int]],
    ) -> None:
        """`disk` gives the size and the free bytes of the data directory's disk, `key_age` the seconds since the newest
        signing key was made, `certificate_expires` when the TLS certificate ends, if there is one, `nodes` how many
        nodes there are in each state, where there may be several."""
        self._history = history
        self._transfers = transfers
        self._jobs = jobs
        self._health = health
        self._disk = disk
        self._key_age = key_age
        self._certificate_expires = certificate_expires
        self._nodes = nodes
        self._registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "glance_appliance_requests",
            "Requests answered.",
            ("service", "route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "glance_appliance_request_seconds",
            "Seconds from the head of a request to the head of its response.",
            ("service", "route", "method"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._log_ins = Counter(
            "glance_appliance_log_ins", "Log-ins, by how they ended.", ("result",), registry=self._registry
        )
        self._registry.register(self)

    def answered(self, service: str, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request. A `route` that is empty is a path that there is none for."""
        template = route or "none"
        self._requests.labels(service, template, method, f"{status // 100}xx").inc()
        self._seconds.labels(service, template, method).observe(seconds)

    def logged_in(self, status: int) -> None:
        """Count a log-in, or the try of one."""
        self._log_ins.labels("success" if status < 400 else "failure").inc()

    def text(self) -> bytes:
        """All of it, in Prometheus's text form."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What is read now; called by the registry."""
        yield InfoMetricFamily("glance_appliance", "The program.", {"version": __version__})
        yield from self._of_images()
        yield from self._of_stores()
        yield from self._of_work()
        yield _gauge("signing_key_age_seconds", "Seconds since the newest signing key was made.", self._key_age())
        if (expires := self._certificate_expires()) is not None:
            yield _gauge("certificate_expiry_seconds", "When the TLS certificate ends, since 1970.", expires)
        health = GaugeMetricFamily("glance_appliance_healthy", "1 for a part that can be written.", labels=["part"])
        for part, trouble in self._health().items():
            health.add_metric([part], 0 if trouble else 1)
        yield health

    def _of_images(self) -> Iterator[Metric]:
        figures = self._history.figures
        images = GaugeMetricFamily("glance_appliance_images", "Images by state.", labels=["status"])
        for status, count in figures.images_by_status().items():
            images.add_metric([status], count)
        yield images
        stuck = figures.waiting_since(int(time.time() * _SECOND) - _STUCK)
        yield _gauge("images_stuck", "Images that have been saving or importing for over an hour.", stuck)
        tasks = GaugeMetricFamily("glance_appliance_tasks", "Import tasks that are kept, by state.", labels=["status"])
        for status, count in figures.tasks_by_status().items():
            tasks.add_metric([status], count)
        yield tasks

    def _of_stores(self) -> Iterator[Metric]:
        held = self._history.held()
        size, free = self._disk()
        yield _gauge("disk_size_bytes", "Size of the disk of the data directory.", size)
        yield _gauge("disk_free_bytes", "Free bytes of that disk.", free)
        yield _gauge("logical_bytes", "What all images add up to.", held.logical)
        yield _gauge("unique_bytes", "That without zeros, and each block once.", held.unique)
        yield _gauge("stored_bytes", "What that takes, compressed.", held.stored)
        yield _gauge("segment_bytes", "What the files take, with what waits to be collected.", held.on_disk)
        yield _gauge("damaged_blocks", "Blocks that have failed their check.", held.damaged_blocks)

    def _of_work(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("glance_appliance_transfers", "Transfers that run.", labels=["direction"])
        moved = CounterMetricFamily("glance_appliance_image_bytes", "Bytes of image data moved.", labels=["direction"])
        for kind in (UPLOAD, DOWNLOAD):
            running.add_metric([kind], len(self._transfers.running(kind)))
            moved.add_metric([kind], self._transfers.total(kind))
        yield running
        yield moved
        ended = GaugeMetricFamily("glance_appliance_job_ended_seconds", "When a job last ended.", labels=["job"])
        failed = GaugeMetricFamily("glance_appliance_job_failed", "1 for a job whose last step failed.", labels=["job"])
        for state in self._jobs.states():
            if state.ended_at is not None:
                ended.add_metric([state.name], state.ended_at / _SECOND)
            failed.add_metric([state.name], 1 if state.error else 0)
        yield ended
        yield failed
        if found := self._nodes():
            nodes = GaugeMetricFamily("glance_appliance_nodes", "Nodes on this database, by state.", labels=["state"])
            for name, count in found.items():
                nodes.add_metric([name], count)
            yield nodes


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"glance_appliance_{name}", meaning, value)

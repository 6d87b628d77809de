"""`store`: what the stores hold and save, and their maintenance; of a running appliance, or of a directory at rest."""

from typing import Any

from appliance.api.appliance_v1.store import store_space
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.scrub import Scrubber, ScrubReport
from appliance.blobs.store import BlobStore
from appliance.cli.client.credentials import find
from appliance.cli.client.session import Session
from appliance.cli.client.token_cache import TokenCache
from appliance.cli.commands import group, verb
from appliance.cli.directory import OpenDirectory, owned
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.cli.output import Output, with_output
from appliance.cli.progress import Progress
from appliance.datadir import DataDir
from appliance.jobs.maintenance import collectors
from appliance.settings import Settings

_FIGURES = (
    "store",
    "contents",
    "logical",
    "unique",
    "stored",
    "file",
    "saved_by_holes",
    "saved_by_dedup",
    "saved_by_lz4",
    "damaged_blocks",
)


@verb("stats", "show what the stores hold and save, in bytes")
@with_output
@with_directory
def stats(flags: Flags, output: Output) -> int:
    settings = settings_for(flags)
    if _is_served(settings):
        rows = _ask(settings, "GET", "/appliance/v1/store")["stores"]
    else:
        with owned(settings, "store stats") as opened:
            rows = [store_space(name, blobs) for name, blobs in _blobs(opened).items()]
    output.many(rows, _FIGURES)
    return 0


@verb("plan", "show what a collection would do now, and why")
@with_output
@with_directory
def plan(flags: Flags, output: Output) -> int:
    settings = settings_for(flags)
    if _is_served(settings):
        rows = _ask(settings, "GET", "/appliance/v1/store/plan")["plan"]
    else:
        with owned(settings, "store plan") as opened:
            rows = [
                {"store": name, "what": plan.what, "why": plan.why, "count": plan.count, "bytes": plan.length}
                for name, collector in collectors(_blobs(opened), settings).items()
                for plan in collector.plan()
            ]
    output.many(rows, ("store", "what", "why", "count", "bytes"))
    return 0


@verb("collect", "give the space of deleted images back now")
@with_output
@with_directory
def collect(flags: Flags, output: Output) -> int:
    settings = settings_for(flags)
    if _is_served(settings):
        _ask(settings, "POST", "/appliance/v1/store/collect")
        print("the running appliance collects now")
        return 0
    with owned(settings, "store collect") as opened:
        # Nothing else is at work: there is nobody to wait for.
        with Progress("given back", None) as progress:
            rows = [
                {"store": name, "what": step.what, "count": step.count, "bytes": step.length}
                for name, blobs in _blobs(opened).items()
                for step in GarbageCollector(blobs, grace=0, fold=settings.fold_duplicates).run(progress.add)
            ]
    output.many(rows, ("store", "what", "count", "bytes"))
    return 0


@verb("scrub", "read and check every stored byte now")
@with_output
@with_directory
def scrub(flags: Flags, output: Output) -> int:
    settings = settings_for(flags)
    if _is_served(settings):
        _ask(settings, "POST", "/appliance/v1/store/scrub")
        print("the running appliance scrubs what is due; its log tells what it finds")
        return 0
    with owned(settings, "store scrub") as opened:
        stores = _blobs(opened)
        total = sum(blobs.index.maintenance.totals().stored for blobs in stores.values())
        with Progress("scrub", total) as progress:
            reports = {name: Scrubber(blobs, interval=0).run(progress.add) for name, blobs in stores.items()}
    output.many([_row(name, report) for name, report in reports.items()], tuple(_row("", ScrubReport())))
    return 1 if any(report.damaged_blocks or report.damaged_segments for report in reports.values()) else 0


def _row(name: str, report: ScrubReport) -> dict[str, Any]:
    return {
        "store": name,
        "segments": report.segments,
        "blocks": report.blocks,
        "bytes": report.length,
        "damaged_blocks": len(report.damaged_blocks),
        "damaged_segments": len(report.damaged_segments),
    }


def _blobs(opened: OpenDirectory) -> dict[str, BlobStore]:
    return {store.id: store.blobs for store in opened.stores.every() if store.blobs is not None}


def _is_served(settings: Settings) -> bool:
    return DataDir(settings.data_dir).holder() is not None


def _ask(settings: Settings, method: str, path: str) -> Any:
    """Ask the running appliance, as its administrator."""
    session = Session(find({"data_dir": settings.data_dir}, {}), TokenCache())
    answer = session.call(method, "image", path)
    return answer.json() if answer.body else None


store = group("store", stats, plan, collect, scrub)

"""`store`: what the stores hold and save, and their maintenance; of a running appliance, or of a directory at rest."""

import argparse
from typing import Any

from appliance.api.appliance_v1.store import store_space
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.scrub import Scrubber, ScrubReport
from appliance.blobs.store import BlobStore
from appliance.cli.client.arguments import add_output
from appliance.cli.client.credentials import find
from appliance.cli.client.output import show_list
from appliance.cli.client.session import Session
from appliance.cli.flags import OpenDirectory, add_directory, owned, settings_for
from appliance.cli.store_move import add_arguments as move_arguments
from appliance.cli.store_move import run as move
from appliance.cli.verbs import Member, add_group
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "stats": Member("show what the stores hold and save, in bytes", _arguments, _stats),
            "plan": Member("show what a collection would do now, and why", _arguments, _plan),
            "collect": Member("give the space of deleted images back now", _arguments, _collect),
            "scrub": Member("read and check every stored byte now", _arguments, _scrub),
            "move": Member("move all images of one store into another, while serving", move_arguments, move),
        },
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)
    add_directory(parser)


def _stats(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    if _is_served(settings):
        rows = _ask(settings, "GET", "/appliance/v1/store")["stores"]
    else:
        with owned(settings, "store stats") as opened:
            rows = [store_space(name, blobs) for name, blobs in _blobs(opened).items()]
    show_list(arguments, rows, _FIGURES)
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    if _is_served(settings):
        rows = _ask(settings, "GET", "/appliance/v1/store/plan")["plan"]
    else:
        with owned(settings, "store plan") as opened:
            rows = [
                {"store": name, "what": plan.what, "why": plan.why, "count": plan.count, "bytes": plan.length}
                for name, collector in collectors(_blobs(opened), settings).items()
                for plan in collector.plan()
            ]
    show_list(arguments, rows, ("store", "what", "why", "count", "bytes"))
    return 0


def _collect(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    if _is_served(settings):
        _ask(settings, "POST", "/appliance/v1/store/collect")
        print("the running appliance collects now")
        return 0
    with owned(settings, "store collect") as opened:
        # Nothing else is at work: there is nobody to wait for.
        rows = [
            {"store": name, "what": step.what, "count": step.count, "bytes": step.length}
            for name, blobs in _blobs(opened).items()
            for step in GarbageCollector(blobs, grace=0, fold=settings.fold_duplicates).run()
        ]
    show_list(arguments, rows, ("store", "what", "count", "bytes"))
    return 0


def _scrub(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    if _is_served(settings):
        _ask(settings, "POST", "/appliance/v1/store/scrub")
        print("the running appliance scrubs what is due; its log tells what it finds")
        return 0
    with owned(settings, "store scrub") as opened:
        reports = {name: Scrubber(blobs, interval=0).run() for name, blobs in _blobs(opened).items()}
    show_list(arguments, [_row(name, report) for name, report in reports.items()], tuple(_row("", ScrubReport())))
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
    session = Session(find(argparse.Namespace(data_dir=settings.data_dir), {}))
    answer = session.call(method, "image", path)
    return answer.json() if answer.body else None

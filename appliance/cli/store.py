"""`store`: what the stores hold and save, their maintenance, and the move of all data of one store into another."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from appliance.api.appliance_v1.store import store_space
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.scrub import Scrubber, ScrubReport
from appliance.blobs.store import BlobStore
from appliance.cli.client.calls import Refused
from appliance.cli.client.credentials import find
from appliance.cli.client.images import Import
from appliance.cli.client.options import Cloud, with_cloud
from appliance.cli.client.session import Session, TokenCache
from appliance.cli.commands import argument, group, switch, verb
from appliance.cli.directory import OpenDirectory, owned
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.cli.output import Output, say, with_output
from appliance.cli.progress import Progress
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.jobs.maintenance import collectors
from appliance.settings import Settings


@verb("move", "move all images of one store into another, while serving")
@argument("source", metavar="FROM", help="store that is to become empty")
@argument("target", metavar="TO", help="store that takes its images")
@switch("--keep", help="only copy: leave the data in FROM, too")
@with_cloud
def move(cloud: Cloud, source: str, target: str, keep: bool) -> int:
    session = cloud.session
    known = {store["id"]: store for store in session.get("image", "/v2/info/stores")["stores"]}
    for name in (source, target):
        if name not in known:
            raise Fatal(f"there is no store {name}; there are {', '.join(sorted(known))}")
        if known[name].get("read-only") == "true":
            raise Fatal(f"store {name} only reads: nothing is moved out of it or into it")
    if source == target:
        raise Fatal(f"{source} and {target} are the same store")
    moved = left = 0
    for image in _images_in(session, source):
        try:
            _move(session, image, source, target, keep=keep)
            moved += 1
        except (Refused, Fatal) as error:
            say(f"image {image['id']} ({image.get('name') or 'without a name'}) stays: {error}")
            left += 1
    print(f"{moved} images are in {target}{' too' if keep else ' now'}" + (f", {left} stay" if left else ""))
    return 1 if left else 0


def _images_in(session: Session, store: str) -> Iterator[dict[str, Any]]:
    """Every image with data there, hidden ones and those of all projects included."""
    for hidden in ("false", "true"):
        query = [("limit", "100"), ("visibility", "all"), ("os_hidden", hidden)]
        # A list of its own: what is moved meanwhile must not turn the pages.
        for image in list(session.pages("image", "/v2/images", "images", query)):
            if store in _stores_of(image):
                yield image


def _stores_of(image: dict[str, Any]) -> list[str]:
    return [name for name in (image.get("stores") or "").split(",") if name]


def _move(session: Session, image: dict[str, Any], source: str, target: str, *, keep: bool) -> None:
    if target not in _stores_of(image):
        if image["status"] != "active":
            raise Fatal(f"it is {image['status']}, and only an active image can be copied")
        copying = Import(session, image["id"])
        copying.start({"name": "copy-image"}, stores=[target], all_stores_must_succeed=True)
        if target not in _stores_of(copying.wait()):
            raise Fatal(f"the copy to {target} failed; the server's log says why")
    if not keep:
        session.call("DELETE", "image", f"/v2/stores/{quote(source, safe='')}/{quote(image['id'], safe='')}")


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


store = group("store", stats, plan, collect, scrub, move)

"""/appliance/v1: what the stores hold and save, and maintenance on demand."""

from collections.abc import Callable, Mapping
from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.index import ContentRow
from appliance.blobs.store import BlobStore
from appliance.db.image.contents import ImageContents
from appliance.errors import Invalid, NotFound
from appliance.image.service import Images
from appliance.values import Caller

Wake = Callable[[str], bool]
"""Have a background job, by its name, run now; False if there is none of that name."""

_MOST_DAMAGED = 1000


class SpaceRoutes:
    """Handlers of the space accounting and of the store's maintenance."""

    def __init__(
        self, images: Images, contents: ImageContents, collectors: Mapping[str, GarbageCollector], wake: Wake
    ) -> None:
        self._contents = contents
        self._images = images
        self._collectors = collectors
        self._wake = wake

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/appliance/v1/store", self.stores, "manage_stores", bodiless=True),
            Route("GET", "/appliance/v1/store/plan", self.plan, "manage_stores", bodiless=True),
            Route("GET", "/appliance/v1/store/damaged", self.damaged, "manage_stores", bodiless=True),
            Route("POST", "/appliance/v1/store/<job>", self.run, "manage_stores"),
        ]

    def stores(self, request: Request[Caller]) -> Response:
        """What each store holds, and what holes, deduplication and compression save."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        return Response(200, {"stores": [store_space(name, blobs) for name, blobs in self._blobs()]})

    def plan(self, request: Request[Caller]) -> Response:
        """What the collection would do now, and why; nothing is done."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        plans = [
            {"store": name, "what": plan.what, "why": plan.why, "count": plan.count, "bytes": plan.length}
            for name, collector in self._collectors.items()
            for plan in collector.plan()
        ]
        return Response(200, {"plan": plans})

    def damaged(self, request: Request[Caller]) -> Response:
        """The images that can't be read in full. Uploading one again heals it, and all that share the block."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for name, blobs in self._blobs():
            maintenance = blobs.index.maintenance
            for span in maintenance.damaged_blocks(_MOST_DAMAGED):
                for content in maintenance.contents_of(span.block_id, _MOST_DAMAGED):
                    for claim in self._contents.of(name, content):
                        row = {"image_id": claim.image_id, "name": claim.image_name, "store": name, "blocks": 0}
                        found.setdefault((name, claim.image_id), row)["blocks"] += 1
        return Response(200, {"damaged": list(found.values())})

    def run(self, request: Request[Caller], job: str) -> Response:
        """Have the collection or the scrub begin now, in the background."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        if job not in ("collect", "scrub"):
            raise NotFound("There is no such job: say collect or scrub.")
        if not self._wake(job):
            raise Invalid(f"The job {job} is switched off.")
        return Response(202)

    def _blobs(self) -> list[tuple[str, BlobStore]]:
        return [(store.id, store.blobs) for store in self._images.stores.every() if store.blobs is not None]


def store_space(name: str, blobs: BlobStore) -> dict[str, Any]:
    """A store's figures. `logical` is what its contents add up to, `file` what they occupy on disk."""
    totals = blobs.index.maintenance.totals()
    return {
        "store": name,
        "contents": totals.contents,
        "logical": totals.logical,
        "unique": totals.unique,
        "stored": totals.stored,
        "file": totals.file,
        "saved_by_holes": totals.holes,
        "saved_by_dedup": totals.saved_by_dedup,
        "saved_by_lz4": totals.saved_by_lz4,
        "segments": totals.segments,
        "blocks": totals.blocks,
        "damaged_blocks": totals.damaged_blocks,
        "contents_to_collect": totals.releasing,
    }


def content_space(content: ContentRow) -> dict[str, int]:
    """A content's figures, as they were when it was stored: what it shares can't be told apart later."""
    return {
        "logical": content.size,
        "unique": content.new_length,
        "stored": content.new_stored,
        "saved_by_holes": content.hole_length,
        "saved_by_dedup": content.reused_length,
        "saved_by_lz4": content.new_length - content.new_stored,
    }

"""`/v2/cache`, and `/v2/cached_images` and `/v2/queued_images` as they were before it. For admins."""

from typing import Any

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.db.image.cache import CacheRecord
from appliance.image.service import Images
from appliance.values import Caller

_SECOND = 1_000_000
# What the older routes answer where there is nothing to say.
_NULL = b"null"
_JSON = [("Content-Type", "application/json")]
_TARGET = "x-image-cache-clear-target"


class CacheRoutes:
    """Handlers of the cache. Where the settings name no node, the address that the client used is one."""

    def __init__(self, images: Images) -> None:
        self._cache = images.cache
        self._node_name = images.context.settings.worker_self_reference_url

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/cache", self.show, "cache_list"),
            Route("GET", "/v2/cache/", self.show, "cache_list"),
            Route("DELETE", "/v2/cache", self.clear, "cache_delete"),
            Route("DELETE", "/v2/cache/", self.clear, "cache_delete"),
            Route("POST", "/v2/cache/clean", self.clean, "cache_clean"),
            Route("POST", "/v2/cache/prune", self.prune, "cache_prune"),
            Route("GET", "/v2/cache/nodes/<image_id>", self.nodes, "list_cached_nodes"),
            Route("PUT", "/v2/cache/<image_id>", self.queue, "cache_image"),
            Route("DELETE", "/v2/cache/<image_id>", self.remove, "cache_delete"),
            Route("GET", "/v2/cached_images", self.old_cached, "manage_image_cache"),
            Route("DELETE", "/v2/cached_images", self.old_clear_cached, "manage_image_cache"),
            Route("DELETE", "/v2/cached_images/<image_id>", self.old_remove_cached, "manage_image_cache"),
            Route("GET", "/v2/queued_images", self.old_queued, "manage_image_cache"),
            Route("DELETE", "/v2/queued_images", self.old_clear_queued, "manage_image_cache"),
            Route("PUT", "/v2/queued_images/<image_id>", self.old_queue, "manage_image_cache"),
            Route("DELETE", "/v2/queued_images/<image_id>", self.old_remove_queued, "manage_image_cache"),
        ]

    def _node(self, request: Request[Caller]) -> str:
        return self._node_name or request.base_url

    def show(self, request: Request[Caller]) -> Response:
        node = self._node(request)
        cached = [_entry(entry) for entry in self._cache.entries(request.caller, node)]
        return Response(200, {"cached_images": cached, "queued_images": self._cache.waiting(request.caller, node)})

    def clear(self, request: Request[Caller]) -> Response:
        self._cache.clear(request.caller, self._node(request), (request.header(_TARGET) or "").lower())
        return Response(204)

    def clean(self, request: Request[Caller]) -> Response:
        self._cache.clean(request.caller)
        return Response(200)

    def prune(self, request: Request[Caller]) -> Response:
        files, freed = self._cache.prune(request.caller)
        return Response(200, {"total_files_pruned": files, "total_bytes_pruned": freed})

    def nodes(self, request: Request[Caller], image_id: str) -> Response:
        return Response(200, self._cache.nodes(request.caller, self._node(request), image_id))

    def queue(self, request: Request[Caller], image_id: str) -> Response:
        self._cache.queue(request.caller, self._node(request), image_id)
        return Response(202)

    def remove(self, request: Request[Caller], image_id: str) -> Response:
        self._cache.remove(request.caller, self._node(request), image_id)
        return Response(204)

    # -- as it was before --------------------------------------------------------------------------------------------

    def old_cached(self, request: Request[Caller]) -> Response:
        entries = self._cache.entries(request.caller, self._node(request), "manage_image_cache")
        return Response(200, {"cached_images": [_entry(entry) for entry in entries]})

    def old_queued(self, request: Request[Caller]) -> Response:
        waiting = self._cache.waiting(request.caller, self._node(request), "manage_image_cache")
        return Response(200, {"queued_images": waiting})

    def old_clear_cached(self, request: Request[Caller]) -> Response:
        return self._old_clear(request, "cache")

    def old_clear_queued(self, request: Request[Caller]) -> Response:
        return self._old_clear(request, "queue")

    def _old_clear(self, request: Request[Caller], target: str) -> Response:
        count = self._cache.clear(request.caller, self._node(request), target, "manage_image_cache")
        return Response(200, {"num_deleted": count})

    def old_remove_cached(self, request: Request[Caller], image_id: str) -> Response:
        self._cache.remove_old(request.caller, self._node(request), image_id, "cached")
        return Response(200, _NULL, _JSON)

    def old_remove_queued(self, request: Request[Caller], image_id: str) -> Response:
        self._cache.remove_old(request.caller, self._node(request), image_id, "queued")
        return Response(200, _NULL, _JSON)

    def old_queue(self, request: Request[Caller], image_id: str) -> Response:
        self._cache.queue_old(request.caller, self._node(request), image_id)
        return Response(200, _NULL, _JSON)


def _entry(entry: CacheRecord) -> dict[str, Any]:
    return {
        "image_id": entry.image_id,
        "hits": entry.hits,
        "last_accessed": entry.last_accessed / _SECOND,
        "last_modified": entry.last_modified / _SECOND,
        "size": entry.size,
    }

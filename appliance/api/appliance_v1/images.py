"""/appliance/v1/images: what an image is made of, what it cost to store, and its return from a delayed delete."""

from dataclasses import astuple
from typing import Any

from appliance.api.appliance_v1.store import content_space
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.db.blocks.content_map import ContentMap, content_map
from appliance.db.engine.base import Database
from appliance.db.image.contents import stored_space
from appliance.db.image.images import ImageRecord
from appliance.errors import Invalid
from appliance.image.service import Images
from appliance.image.stores import Store
from appliance.values import Caller, seconds_text, whole_number

_CELLS = 400
_MOST = 2000
_IMAGES = 200


class ImageRoutes:
    """Handlers of what Glance has no words for, or leaves to commands on its host."""

    def __init__(self, images: Images, db: Database) -> None:
        self._images = images
        self._db = db

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/appliance/v1/images/<image_id>/map", self.map, "get_image", bodiless=True),
            Route("GET", "/appliance/v1/images/space", self.spaces, "get_images", bodiless=True),
            Route("GET", "/appliance/v1/images/<image_id>/space", self.space, "manage_stores", bodiless=True),
            Route("POST", "/appliance/v1/images/<image_id>/restore", self.restore, "restore", bodiless=True),
        ]

    def map(self, request: Request[Caller], image_id: str) -> Response:
        """What each part of an image is made of. Only admins are told what is shared: others learn of no other one."""
        image = self._images.finder.get(request.caller, image_id)
        cells = whole_number(request.arg("cells") or str(_CELLS))
        if cells is None or not 0 < cells <= _MOST:
            raise Invalid(f"cells must be a whole number from 1 to {_MOST}.")
        found = self._places(image)
        if not found or not image.size:
            return Response(200, {"image_id": image.id, "size": image.size, "cells": []})
        store, content_id = found[0]
        admin = request.caller.is_admin
        made = content_map(self._db, content_id, image.size, cells, with_shared=admin)
        return Response(200, {"image_id": image.id, "size": image.size, "store": store.id, **_shown(made, admin)})

    def space(self, request: Request[Caller], image_id: str) -> Response:
        """What one image cost when it was stored."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        image = self._images.finder.look_up(request.caller, image_id)
        places = [
            {"store": store.id, **content_space(store.writer.content(content_id))}
            for store, content_id in self._places(image)
        ]
        return Response(200, {"image_id": image.id, "contents": places})

    def spaces(self, request: Request[Caller]) -> Response:
        """What each of the images that `id` names (with commas) cost when it was stored: one's own, for admins all.

        Where all projects share blocks, members are told nothing: what is not stored again is another's.
        """
        caller = request.caller
        self._images.policies.enforce_service(caller, "get_images")
        named = [name for name in (request.arg("id") or "").split(",") if name]
        if len(named) > _IMAGES:
            raise Invalid(f"At most {_IMAGES} images can be asked for at once.")
        found: dict[str, dict[str, int]] = {}
        if caller.is_admin:
            found = stored_space(self._db, named)
        elif caller.project_id is not None and self._images.context.settings.dedup_scope != "all":
            found = stored_space(self._db, named, caller.project_id)
        return Response(200, {"images": [{"image_id": image_id, **space} for image_id, space in found.items()]})

    def restore(self, request: Request[Caller], image_id: str) -> Response:
        self._images.deletion.restore(request.caller, image_id)
        return Response(204)

    def _places(self, image: ImageRecord) -> list[tuple[Store, int]]:
        found = [(self._images.stores.find(place.store), place.content_id) for place in image.locations]
        return [
            (store, content) for store, content in found if store is not None and store.blobs and content is not None
        ]


def _shown(made: ContentMap, with_shared: bool) -> dict[str, Any]:
    names = ["own", "shared", "zero", "damaged", "stored"]
    rows = [[round(value) for value in astuple(cell)] for cell in made.cells]
    sums = {name: sum(row[number] for row in rows) for number, name in enumerate(names)}
    sums["compressed"] = max(0, sums["own"] + sums["shared"] - sums["stored"])
    if not with_shared:
        names.remove("shared")
        rows = [[row[0], *row[2:]] for row in rows]
        del sums["shared"]
    checked = None if made.checked_at is None else seconds_text(made.checked_at)
    return {"checked_at": checked, "columns": names, "cells": rows, "sums": sums}

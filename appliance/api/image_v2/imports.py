"""`/v2/images/{image_id}/import`, its tasks, and `/v2/stores`: data from elsewhere, and to several stores."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2.bodies import json_object
from appliance.api.image_v2.views import image_task
from appliance.api.service import Route
from appliance.image.service import Images
from appliance.values import Caller


class ImportRoutes:
    """Handlers of imports."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/images/<image_id>/import", self.begin, ("modify_image", "copy_image")),
            Route("GET", "/v2/images/<image_id>/tasks", self.tasks, "get_image", bodiless=True),
            Route(
                "DELETE",
                "/v2/stores/<store_id>/<image_id>",
                self.delete_from_store,
                ("get_image_location", "delete_image_location"),
                bodiless=True,
            ),
        ]

    def begin(self, request: Request[Caller], image_id: str) -> Reply:
        body = json_object(request)
        store = request.header("x-image-meta-store")
        self._images.imports.begin(request.caller, image_id, body, store, request.id)
        return Reply(202)

    def tasks(self, request: Request[Caller], image_id: str) -> Reply:
        image = self._images.get(request.caller, image_id)
        tasks = self._images.tasks.of_image(request.caller, image.id)
        return Reply(200, {"tasks": [image_task(task) for task in tasks]})

    def delete_from_store(self, request: Request[Caller], store_id: str, image_id: str) -> Reply:
        self._images.delete_from_store(request.caller, store_id, image_id)
        return Reply(204)

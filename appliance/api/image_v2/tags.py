"""`/v2/images/{image_id}/tags/{tag}`: one tag at a time."""

from appliance.api.exchange import Reply, Request
from appliance.api.service import Route
from appliance.image.service import Images
from appliance.values import Caller


class TagRoutes:
    """Handlers of tags."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        path = "/v2/images/<image_id>/tags/<tag>"
        return [
            Route("PUT", path, self.add, "modify_image", bodiless=True),
            Route("DELETE", path, self.remove, "modify_image", bodiless=True),
        ]

    def add(self, request: Request[Caller], image_id: str, tag: str) -> Reply:
        self._images.add_tag(request.caller, image_id, tag)
        return Reply(204)

    def remove(self, request: Request[Caller], image_id: str, tag: str) -> Reply:
        self._images.remove_tag(request.caller, image_id, tag)
        return Reply(204)

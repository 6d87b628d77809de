"""`/appliance/v1/images/{image_id}/restore`: take back a delayed delete."""

from appliance.api.exchange import Reply, Request
from appliance.api.service import Route
from appliance.image.service import Images
from appliance.values import Caller


class ImageUpkeepRoutes:
    """Handlers of what Glance leaves to commands on its host."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        return [Route("POST", "/appliance/v1/images/<image_id>/restore", self.restore, "restore", bodiless=True)]

    def restore(self, request: Request[Caller], image_id: str) -> Reply:
        self._images.pending.restore(request.caller, image_id)
        return Reply(204)

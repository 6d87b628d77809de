"""`/v2/images/{image_id}/actions/…`: deactivate and reactivate."""

from appliance.api.exchange import Reply, Request
from appliance.api.service import Route
from appliance.image.service import Images
from appliance.values import Caller


class ActionRoutes:
    """Handlers of actions."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        path = "/v2/images/<image_id>/actions"
        return [
            Route("POST", f"{path}/deactivate", self.deactivate, "deactivate", bodiless=True),
            Route("POST", f"{path}/reactivate", self.reactivate, "reactivate", bodiless=True),
        ]

    def deactivate(self, request: Request[Caller], image_id: str) -> Reply:
        self._images.deactivate(request.caller, image_id)
        return Reply(204)

    def reactivate(self, request: Request[Caller], image_id: str) -> Reply:
        self._images.reactivate(request.caller, image_id)
        return Reply(204)

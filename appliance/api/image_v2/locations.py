"""`/v2/images/{image_id}/locations`: a URL in place of an upload, and where the data lies, for services."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2.bodies import json_object
from appliance.api.image_v2.views import location
from appliance.api.service import Route
from appliance.image.schemas import ImageChecks
from appliance.image.service import Images
from appliance.values import Caller


class LocationRoutes:
    """Handlers of locations."""

    def __init__(self, images: Images, checks: ImageChecks) -> None:
        self._locations = images.locations
        self._checks = checks

    def routes(self) -> list[Route]:
        path = "/v2/images/<image_id>/locations"
        return [
            Route("POST", path, self.add, "add_image_location"),
            Route("GET", path, self.list, "fetch_image_location"),
        ]

    def add(self, request: Request[Caller], image_id: str) -> Reply:
        body = json_object(request)
        self._checks.validate_location(body)
        self._locations.add(request.caller, image_id, body, request.id)
        return Reply(202)

    def list(self, request: Request[Caller], image_id: str) -> Reply:
        image = self._locations.of(request.caller, image_id)
        return Reply(200, [location(image, place) for place in image.locations])

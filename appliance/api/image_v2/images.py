"""`/v2/images` and `/v2/images/{image_id}`: create, list, show, change, delete."""

from appliance.api.exchange import Reply, Request
from appliance.api.faults import image_error
from appliance.api.image_v2.bodies import json_object, media_type
from appliance.api.image_v2.patch import MEDIA_TYPES, read_changes
from appliance.api.image_v2.views import ImageView, page
from appliance.api.service import Route
from appliance.db.images import ImageRecord
from appliance.image.draft import check_names
from appliance.image.model import LINKS
from appliance.image.schemas import ImageChecks
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import Caller


class ImageRoutes:
    """Handlers of images as a resource."""

    def __init__(self, images: Images, settings: Settings, checks: ImageChecks) -> None:
        self._images = images
        self._settings = settings
        self._checks = checks
        self._view = ImageView(settings)

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/images", self.create, "add_image"),
            Route("GET", "/v2/images", self.list, "get_images", bodiless=True),
            Route("GET", "/v2/images/<image_id>", self.show, "get_image", bodiless=True),
            Route("PATCH", "/v2/images/<image_id>", self.update, "modify_image"),
            Route("DELETE", "/v2/images/<image_id>", self.delete, "delete_image", bodiless=True),
        ]

    def create(self, request: Request[Caller]) -> Reply:
        body = json_object(request)
        check_names({name: value for name, value in body.items() if name in LINKS})
        self._checks.validate_new_image(body)
        image = self._images.create(request.caller, body)
        headers = [("Location", f"{request.base_url}/v2/images/{image.id}")]
        if self._settings.enabled_import_methods:
            headers.append(("OpenStack-image-import-methods", ",".join(self._settings.enabled_import_methods)))
        if self._images.stores.several:
            headers.append(("OpenStack-image-store-ids", ",".join(store.id for store in self._images.stores)))
        return Reply(201, self._shown(request, image), headers)

    def list(self, request: Request[Caller]) -> Reply:
        images, more = self._images.page(request.caller, request.query)
        shown = [self._shown(request, image) for image in images]
        return Reply(200, page("images", shown, "/v2/images", request.query, images[-1].id if more else None))

    def show(self, request: Request[Caller], image_id: str) -> Reply:
        return Reply(200, self._shown(request, self._images.get(request.caller, image_id)))

    def update(self, request: Request[Caller], image_id: str) -> Reply:
        kind = media_type(request)
        if kind not in MEDIA_TYPES:
            accepted = ", ".join(sorted(MEDIA_TYPES))
            sentence = f"Image PATCH expects Content-Type one of: {accepted}"
            reply = image_error(415, sentence, request.header("accept"))
            reply.headers.append(("Accept-Patch", accepted))
            return reply
        changes = read_changes(kind, request, self._checks)
        return Reply(200, self._shown(request, self._images.update(request.caller, image_id, changes)))

    def delete(self, request: Request[Caller], image_id: str) -> Reply:
        self._images.delete(request.caller, image_id)
        return Reply(204)

    def _shown(self, request: Request[Caller], image: ImageRecord) -> dict[str, object]:
        return self._view(image, with_locations=self._images.may_see_locations(request.caller, image))

"""`/v2/images/{image_id}/members`: whom an image is shared with."""

from appliance.api.exchange import Reply, Request
from appliance.api.image_v2.bodies import json_object
from appliance.api.image_v2.views import member
from appliance.api.service import Route
from appliance.errors import Invalid
from appliance.image.service import Images
from appliance.values import Caller


class MemberRoutes:
    """Handlers of image members."""

    def __init__(self, images: Images) -> None:
        self._members = images.members

    def routes(self) -> list[Route]:
        collection = "/v2/images/<image_id>/members"
        return [
            Route("GET", collection, self.list, "get_members", bodiless=True),
            Route("POST", collection, self.create, "add_member"),
            Route("GET", f"{collection}/<member_id>", self.show, "get_member", bodiless=True),
            Route("PUT", f"{collection}/<member_id>", self.update, "modify_member"),
            Route("DELETE", f"{collection}/<member_id>", self.delete, "delete_member", bodiless=True),
        ]

    def create(self, request: Request[Caller], image_id: str) -> Reply:
        form = 'Expected a member in the form: {"member": "image_id"}'
        member_id = json_object(request, form).get("member")
        if not isinstance(member_id, str) or not member_id:
            raise Invalid(form)
        return Reply(200, member(self._members.add(request.caller, image_id, member_id)))

    def list(self, request: Request[Caller], image_id: str) -> Reply:
        members = [member(record) for record in self._members.page(request.caller, image_id)]
        return Reply(200, {"members": members, "schema": "/v2/schemas/members"})

    def show(self, request: Request[Caller], image_id: str, member_id: str) -> Reply:
        return Reply(200, member(self._members.get(request.caller, image_id, member_id)))

    def update(self, request: Request[Caller], image_id: str, member_id: str) -> Reply:
        form = 'Expected a status in the form: {"status": "status"}'
        body = json_object(request, form)
        if "status" not in body:
            raise Invalid(form)
        # What the status may be is asked only once the member is known, as in Glance.
        status = body["status"]
        return Reply(200, member(self._members.answer(request.caller, image_id, member_id, status)))

    def delete(self, request: Request[Caller], image_id: str, member_id: str) -> Reply:
        self._members.remove(request.caller, image_id, member_id)
        return Reply(204)

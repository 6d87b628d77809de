"""`/v1/images/{image_id}/members` and `/v1/shared-images/{member_id}`: whom images are shared with."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.service import ANY_TOKEN, Route
from appliance.errors import Invalid
from appliance.image.old_api.service import OldImages
from appliance.values import Caller


class MemberRoutes:
    """Handlers of members."""

    def __init__(self, old: OldImages) -> None:
        self._sharing = old.sharing

    def routes(self) -> list[Route]:
        path = "/v1/images/<image_id>/members"
        return [
            Route("GET", path, self.list, "get_members"),
            Route("PUT", path, self.replace, ("modify_member", "add_member", "delete_member")),
            Route("PUT", f"{path}/<member_id>", self.share, "add_member"),
            Route("DELETE", f"{path}/<member_id>", self.unshare, "delete_member"),
            Route("GET", "/v1/shared-images/<member_id>", self.images_of, ANY_TOKEN),
        ]

    def list(self, request: Request[Caller], image_id: str) -> Reply:
        found = self._sharing.of_image(request.caller, image_id)
        return Reply(200, {"members": [{"member_id": one.member_id, "can_share": one.can_share} for one in found]})

    def images_of(self, request: Request[Caller], member_id: str) -> Reply:
        found = self._sharing.of_member(request.caller, member_id)
        return Reply(200, {"shared_images": [{"image_id": one.image_id, "can_share": one.can_share} for one in found]})

    def share(self, request: Request[Caller], image_id: str, member_id: str) -> Reply:
        can_share = None
        if request.has_body and (request.content_length or request.header("transfer-encoding")):
            body = request.json()
            member = body.get("member") if isinstance(body, dict) else None
            if isinstance(member, dict):
                can_share = _truth(member)
        self._sharing.share(request.caller, image_id, member_id, can_share)
        return Reply(204)

    def replace(self, request: Request[Caller], image_id: str) -> Reply:
        body = request.json()
        listed = body.get("memberships") if isinstance(body, dict) else None
        if not isinstance(listed, list):
            raise Invalid("The body has to be of the form {'memberships': [{'member_id': …}]}.")
        members = {}
        for one in listed:
            if not isinstance(one, dict) or not isinstance(one.get("member_id"), str):
                raise Invalid("Each membership has to name a member_id.")
            members[one["member_id"]] = _truth(one)
        self._sharing.replace(request.caller, image_id, members)
        return Reply(204)

    def unshare(self, request: Request[Caller], image_id: str, member_id: str) -> Reply:
        self._sharing.unshare(request.caller, image_id, member_id)
        return Reply(204)


def _truth(member: dict[str, Any]) -> bool | None:
    """What a membership says of sharing on; None if nothing."""
    return bool(member["can_share"]) if "can_share" in member else None

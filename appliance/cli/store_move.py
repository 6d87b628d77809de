"""`store move FROM TO`: bring the data of every image of one store into another while serving, image by image.

Each image is copied, and taken out of the first store only when it is in the second. Run again, it goes on where it
was.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from appliance.cli.client.calls import Refused
from appliance.cli.client.images import Import
from appliance.cli.client.options import Cloud, with_cloud
from appliance.cli.client.session import Session
from appliance.cli.commands import argument, switch, verb
from appliance.cli.output import say
from appliance.errors import Fatal


@verb("move", "move all images of one store into another, while serving")
@argument("source", metavar="FROM", help="store that is to become empty")
@argument("target", metavar="TO", help="store that takes its images")
@switch("--keep", help="only copy: leave the data in FROM, too")
@with_cloud
def move(cloud: Cloud, source: str, target: str, keep: bool) -> int:
    session = cloud.session
    known = {store["id"]: store for store in session.get("image", "/v2/info/stores")["stores"]}
    for name in (source, target):
        if name not in known:
            raise Fatal(f"there is no store {name}; there are {', '.join(sorted(known))}")
        if known[name].get("read-only") == "true":
            raise Fatal(f"store {name} only reads: nothing is moved out of it or into it")
    if source == target:
        raise Fatal(f"{source} and {target} are the same store")
    moved = left = 0
    for image in _images_in(session, source):
        try:
            _move(session, image, source, target, keep=keep)
            moved += 1
        except (Refused, Fatal) as error:
            say(f"image {image['id']} ({image.get('name') or 'without a name'}) stays: {error}")
            left += 1
    print(f"{moved} images are in {target}{' too' if keep else ' now'}" + (f", {left} stay" if left else ""))
    return 1 if left else 0


def _images_in(session: Session, store: str) -> Iterator[dict[str, Any]]:
    """Every image with data there, hidden ones and those of all projects included."""
    for hidden in ("false", "true"):
        query = [("limit", "100"), ("visibility", "all"), ("os_hidden", hidden)]
        # A list of its own: what is moved meanwhile must not turn the pages.
        for image in list(session.pages("image", "/v2/images", "images", query)):
            if store in _stores_of(image):
                yield image


def _stores_of(image: dict[str, Any]) -> list[str]:
    return [name for name in (image.get("stores") or "").split(",") if name]


def _move(session: Session, image: dict[str, Any], source: str, target: str, *, keep: bool) -> None:
    if target not in _stores_of(image):
        if image["status"] != "active":
            raise Fatal(f"it is {image['status']}, and only an active image can be copied")
        copying = Import(session, image["id"])
        copying.start({"name": "copy-image"}, stores=[target], all_stores_must_succeed=True)
        if target not in _stores_of(copying.wait()):
            raise Fatal(f"the copy to {target} failed; the server's log says why")
    if not keep:
        session.call("DELETE", "image", f"/v2/stores/{quote(source, safe='')}/{quote(image['id'], safe='')}")

"""Whom an image exists for: by its id and on lists, the two held against each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from appliance.db.engine.base import Tx
from appliance.db.image.images import ImageRecord
from appliance.db.image.members import MemberRecord, MemberRows
from appliance.errors import NotFound
from appliance.image.rules import VISIBILITIES
from appliance.values import Caller, new_uuid
from tests.data_directory import Opened, opened

READER = frozenset({"reader"})
CALLERS = {
    "admin": Caller("u", "p-admin", roles=READER | {"admin"}),
    "admin of no project": Caller("u", roles=READER | {"admin"}),
    "owner": Caller("u", "p-owner", roles=READER),
    "other": Caller("u", "p-other", roles=READER),
}
OWNERS = ("p-owner", "p-other", "p-stranger", None)
MEMBERSHIPS = (None, "pending", "accepted", "rejected")


@dataclass(frozen=True)
class Kind:
    visibility: str
    owner: str | None
    membership: str | None
    """What the project p-other has answered, if the image is shared with it."""


KINDS = [Kind(*parts) for parts in product(VISIBILITIES, OWNERS, MEMBERSHIPS)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Opened, dict[str, Kind]]]:
    """One image of each kind."""
    with opened(Path(tmp_path_factory.mktemp("visibility")) / "data") as it:
        ids = {new_uuid(): kind for kind in KINDS}

        def change(tx: Tx) -> None:
            for image_id, kind in ids.items():
                it.images.context.rows.insert(
                    tx, ImageRecord(image_id, kind.owner, created_at=1, updated_at=1, visibility=kind.visibility)
                )
                if kind.membership:
                    MemberRows(it.db).add(tx, MemberRecord(image_id, "p-other", kind.membership, 1, 1), quota=-1)

        it.db.transact(change)
        yield it, ids


def shown(it: Opened, caller: Caller, image_id: str) -> bool:
    try:
        return it.images.finder.get(caller, image_id).id == image_id
    except NotFound:
        return False


@pytest.mark.parametrize("name", [name for name, caller in CALLERS.items() if caller.project_id])
def test_a_list_of_everything_has_all_that_can_be_shown(name: str, world: tuple[Opened, dict[str, Kind]]) -> None:
    it, ids = world
    caller = CALLERS[name]
    query = [("visibility", "all"), ("member_status", "all"), ("limit", "1000")]
    listed = {image.id for image in it.images.finder.page(caller, query)[0]}
    missing = {ids[image_id] for image_id in ids if shown(it, caller, image_id) and image_id not in listed}
    # What nobody owns, and so is everybody's to read, is found by its id alone, as in the original.
    assert {(kind.visibility, kind.owner) for kind in missing} <= {("shared", None)}


@pytest.mark.parametrize("name", list(CALLERS))
@pytest.mark.parametrize("query", ["", "public", "private", "shared", "community"])
def test_a_list_has_nothing_that_can_not_be_shown(name: str, query: str, world: tuple[Opened, dict[str, Kind]]) -> None:
    it, _ = world
    parameters = [("member_status", "all"), ("limit", "1000"), *([("visibility", query)] if query else [])]
    listed = it.images.finder.page(CALLERS[name], parameters)[0]
    assert [image.id for image in listed if not shown(it, CALLERS[name], image.id)] == []


@pytest.mark.parametrize(
    ("name", "kind", "seen"),
    [
        ("owner", Kind("private", "p-owner", None), True),
        ("other", Kind("private", "p-owner", "accepted"), False),
        ("other", Kind("shared", "p-owner", None), False),
        ("other", Kind("shared", "p-owner", "pending"), True),
        ("other", Kind("shared", "p-owner", "rejected"), True),
        ("other", Kind("community", "p-owner", None), True),
        ("other", Kind("public", "p-owner", None), True),
        ("owner", Kind("private", None, None), False),
        ("owner", Kind("shared", None, None), True),
        ("admin", Kind("private", "p-stranger", None), True),
        ("admin of no project", Kind("private", None, None), True),
    ],
)
def test_an_image_exists_for(name: str, kind: Kind, seen: bool, world: tuple[Opened, dict[str, Kind]]) -> None:
    it, ids = world
    image_id = next(image_id for image_id, one in ids.items() if one == kind)
    assert shown(it, CALLERS[name], image_id) is seen

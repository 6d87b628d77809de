"""What holds for every image: its states, its names, and for whom it exists before any policy is asked."""

from appliance.db.image.images import ImageRecord
from appliance.db.image.pages import Way
from appliance.errors import Conflict, NotFound
from appliance.values import Caller

VISIBILITIES = ("private", "shared", "community", "public")

# state → the states that may follow it. Whatever is not listed here can't happen.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "queued": ("saving", "uploading", "importing", "active", "killed", "deleted"),
    "saving": ("active", "killed", "deleted", "queued"),
    "uploading": ("importing", "queued", "deleted"),
    "importing": ("active", "deleted", "queued"),
    "active": ("pending_delete", "deleted", "deactivated"),
    "deactivated": ("active", "deleted"),
    "pending_delete": ("deleted", "active"),
    "killed": ("deleted",),
}

# The formats may change only as long as no bytes depend on them.
FORMAT_CHANGES = ("queued", "importing")

INTERNAL = "os_glance"
"""Properties whose names begin so belong to the service."""

IMPORT_LOCK = "os_glance_import_task"
IMPORTING_TO = "os_glance_importing_to_stores"
FAILED_IMPORT = "os_glance_failed_import"

RESERVED = frozenset({"location", "deleted", "deleted_at"})
LINKS = frozenset({"direct_url", "self", "file", "schema", "stores"})
READ_ONLY = frozenset(
    {
        "created_at",
        "updated_at",
        "status",
        "checksum",
        "size",
        "virtual_size",
        "direct_url",
        "self",
        "file",
        "schema",
        "id",
        "os_hash_algo",
        "os_hash_value",
    }
)
# What a client may set; everything else that is not named above is an extra property.
SETTABLE = frozenset(
    {
        "name",
        "visibility",
        "protected",
        "os_hidden",
        "owner",
        "disk_format",
        "container_format",
        "min_disk",
        "min_ram",
    }
)
NAME_LIMIT = 255
INTEGER_LIMIT = 2**31 - 1


def check_transition(now: str, then: str) -> None:
    """Raise `Conflict` if an image can't go from one state to the other."""
    if then not in TRANSITIONS.get(now, ()):
        raise Conflict(f"Image status transition from {now} to {then} is not allowed")


def visible(caller: Caller, image: ImageRecord) -> bool:
    """Whether the image exists for the caller, before any role is asked for."""
    if caller.is_admin or image.owner is None or image.visibility in ("public", "community"):
        return True
    return image.owner == caller.project_id or (image.visibility == "shared" and image.shared_with_caller)


def ways_to_list(caller: Caller, visibility: str | None, *, everything: bool) -> tuple[Way, ...]:
    """How images come onto the caller's list: fewer than are visible, for lists leave out what is only known by its id.

    `visibility` is what was asked for; `everything` is for those who may see every project's images, and want to.
    """
    if everything:
        return (Way.EVERY if visibility else Way.ALL_BUT_FOREIGN_COMMUNITY,)
    ways = []
    if visibility in (None, "all", "public"):
        ways.append(Way.PUBLIC)
    if visibility in ("all", "community"):
        ways.append(Way.COMMUNITY)
    if caller.project_id is not None and visibility not in ("public", "community"):
        ways.append(Way.OWN)
        if visibility != "private":
            ways.append(Way.SHARED)
    return tuple(ways)


def not_found(image_id: str) -> NotFound:
    return NotFound(f"No image found with ID {image_id}")

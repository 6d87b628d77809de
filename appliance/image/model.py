"""What an image is: its states and the ways between them, and the names that are not an ordinary property's."""

from appliance.errors import Conflict

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

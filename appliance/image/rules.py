"""An image as the rest sees it, and the rules of who may do what with it in which status."""

from dataclasses import dataclass

from appliance.db.image.images import ImageRecord
from appliance.errors import Conflict, Forbidden, NotFound
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


@dataclass(frozen=True, slots=True)
class Rule:
    """The role that an operation asks of each kind of caller; None allows nobody. An admin passes every one."""

    owner: str | None = None
    """Somebody of the project that owns the image."""
    consumer: str | None = None
    """Somebody of a project that the image is shared with."""
    anyone: str | None = None
    """Anybody, if the image is public or a community image."""
    service: bool = False
    """Whether a service (a caller with the role `service`) may do it as well."""

    @property
    def text(self) -> str:
        """Whom it lets in beside admins, for the documentation."""
        asked = {"of the owner": self.owner, "of a consumer": self.consumer, "if all see it": self.anyone}
        allowed = [f"`role:{role}` {whose}" for whose, role in asked.items() if role is not None]
        return ", ".join([*allowed, *(["`role:service`"] if self.service else [])])


ADMIN_ONLY = Rule()
OWNER = Rule(owner="member")

RULES: dict[str, Rule] = {
    "get_image": Rule(owner="reader", consumer="reader", anyone="reader"),
    "download_image": Rule(owner="member", consumer="member", anyone="member"),
    "modify_image": OWNER,
    "delete_image": OWNER,
    "upload_image": OWNER,
    "deactivate": OWNER,
    "reactivate": OWNER,
    "communitize_image": OWNER,
    "publicize_image": ADMIN_ONLY,
    "copy_image": ADMIN_ONLY,
    "add_member": OWNER,
    "delete_member": OWNER,
    "get_member": Rule(owner="reader", consumer="reader"),
    "get_members": Rule(owner="reader", consumer="reader"),
    "modify_member": Rule(consumer="member"),
    "get_image_location": Rule(owner="reader"),
    "set_image_location": OWNER,
    "delete_image_location": ADMIN_ONLY,
    "add_image_location": Rule(owner="member", service=True),
    "fetch_image_location": Rule(service=True),
}

POLICIES: dict[str, Rule] = {
    # Those that are asked before there is an image: by `enforce_create`, `enforce_list` and `enforce_admin`.
    "add_image": Rule(owner="member"),
    "get_images": Rule(owner="reader"),
    "tasks_api_access": ADMIN_ONLY,
    "stores_info_detail": Rule(service=True),
    "cache_list": ADMIN_ONLY,
    "cache_image": ADMIN_ONLY,
    "cache_delete": ADMIN_ONLY,
    "cache_clean": ADMIN_ONLY,
    "cache_prune": ADMIN_ONLY,
    "list_cached_nodes": ADMIN_ONLY,
    "manage_image_cache": ADMIN_ONLY,
    # The appliance's own.
    "restore": ADMIN_ONLY,
    "manage_stores": ADMIN_ONLY,
    "manage_jobs": ADMIN_ONLY,
    "get_events": Rule(owner="reader"),
    "get_uploads": Rule(owner="reader"),
    "get_status": Rule(owner="reader", consumer="reader", anyone="reader"),
    **RULES,
}
"""Every policy of the image API, for its documentation and for the walk through all routes."""


def visible(caller: Caller, image: ImageRecord) -> bool:
    """Whether the image exists for the caller, before any role is asked for."""
    if caller.is_admin or image.owner is None or image.visibility in ("public", "community"):
        return True
    if caller.project_id is None:
        return False
    return caller.project_id == image.owner or (image.visibility == "shared" and image.shared_with_caller)


def allowed(caller: Caller, operation: str, image: ImageRecord) -> bool:
    """Whether the table lets the caller do it to this image."""
    if caller.is_admin:
        return True
    if not visible(caller, image):
        return False
    rule = RULES[operation]
    if rule.service and caller.has_role("service"):
        return True
    roles = []
    if caller.project_id is not None and caller.project_id == image.owner:
        roles.append(rule.owner)
    if image.visibility == "shared" and image.shared_with_caller:
        roles.append(rule.consumer)
    if image.visibility in ("public", "community") or (image.owner is None and image.visibility == "shared"):
        roles.append(rule.anyone)
    return any(role is not None and caller.has_role(role) for role in roles)


def not_found(image_id: str) -> NotFound:
    return NotFound(f"No image found with ID {image_id}")


def enforce(caller: Caller, operation: str, image: ImageRecord) -> None:
    """Raise `Forbidden` if the caller may not do it, `NotFound` if not even know that the image exists."""
    if allowed(caller, operation, image):
        return
    if operation == "get_image" or not allowed(caller, "get_image", image):
        raise not_found(image.id)
    raise Forbidden(f"You are not authorized to complete {operation} action.")


def enforce_create(caller: Caller, owner: str | None, visibility: str) -> None:
    """Raise `Forbidden` if the caller may not make an image for this owner with this visibility."""
    if caller.is_admin:
        return
    if owner != caller.project_id:
        raise Forbidden(f"You are not permitted to create images owned by '{owner}'")
    if owner is None or not caller.has_role("member"):
        raise Forbidden("You are not authorized to complete add_image action.")
    if visibility == "public":
        raise Forbidden("You are not authorized to complete publicize_image action.")


def enforce_visibility(caller: Caller, image: ImageRecord, visibility: str) -> None:
    """Raise if the caller may not give the image this visibility."""
    if visibility == "public":
        enforce(caller, "publicize_image", image)
    elif visibility == "community":
        enforce(caller, "communitize_image", image)


def enforce_list(caller: Caller) -> None:
    """Raise `Forbidden` if the caller may not list images at all."""
    if not caller.is_admin and (not caller.has_role("reader") or caller.project_id is None):
        raise Forbidden("You are not authorized to complete get_images action.")


def enforce_admin(caller: Caller, operation: str) -> None:
    """For operations that concern the service and not one image."""
    if not caller.is_admin:
        raise Forbidden(f"You are not authorized to complete {operation} action.")

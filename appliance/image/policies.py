"""Who may do what to images and metadata definitions: Glance's policies, and how they are asked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance.db.image.images import ImageRecord
from appliance.db.image.metadefs import NamespaceRecord
from appliance.errors import Forbidden, NotFound
from appliance.image.rules import not_found, visible
from appliance.policy.language import Credentials, Target
from appliance.policy.rules import ANY_SCOPE, PROJECT, Default, PolicyRules
from appliance.settings import Settings
from appliance.values import Caller, seconds_text

_ADMIN = "rule:context_is_admin"
_MEMBER = "role:member and project_id:%(project_id)s"
_READER = "role:reader and project_id:%(project_id)s"
_VISIBLE = (
    "(project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s"
    " or 'public':%(visibility)s or 'shared':%(visibility)s)"
)
_DEFINITION = f"{_ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"


def _for(check: str, *names: str, scopes: frozenset[str] = PROJECT) -> dict[str, Default]:
    return {name: Default(check, scopes) for name in names}


BASE = {
    "default": Default(""),
    "context_is_admin": Default("role:admin"),
    "service_api": Default("role:service or role:admin"),
    "metadef_default": Default(""),
    "metadef_admin": Default(_ADMIN),
}
"""What others ask. `context_is_admin` says besides who sees every image, deleted and deactivated ones included."""

IMAGES = {
    "add_image": Default(f"{_ADMIN} or ({_MEMBER} and project_id:%(owner)s)", PROJECT),
    "get_images": Default(f"{_ADMIN} or ({_READER})", PROJECT),
    "get_image": Default(f"{_ADMIN} or (role:reader and {_VISIBLE})", PROJECT),
    **_for(f"{_ADMIN} or (role:member and {_VISIBLE})", "download_image", "download_from_store"),
    **_for(
        f"{_ADMIN} or ({_MEMBER})",
        "modify_image",
        "delete_image",
        "upload_image",
        "deactivate",
        "reactivate",
        "communitize_image",
        "set_image_location",
        "add_member",
        "delete_member",
    ),
    **_for(_ADMIN, "publicize_image", "copy_image", "delete_image_location"),
    **_for(
        f"{_ADMIN} or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)",
        "get_member",
        "get_members",
    ),
    "modify_member": Default(f"{_ADMIN} or (role:member and project_id:%(member_id)s)", PROJECT),
    "get_image_location": Default(f"{_ADMIN} or ({_READER})", PROJECT),
    "add_image_location": Default(f"rule:service_api or ({_MEMBER} and project_id:%(owner)s)", PROJECT),
    "fetch_image_location": Default("rule:service_api", PROJECT),
    "stores_info_detail": Default(f"{_ADMIN} or rule:service_api", PROJECT),
    **_for(
        _ADMIN,
        "tasks_api_access",
        "cache_list",
        "cache_image",
        "cache_delete",
        "cache_clean",
        "cache_prune",
        "list_cached_nodes",
        "manage_image_cache",
    ),
}

OURS = {
    **_for(_ADMIN, "restore", "manage_stores", "manage_jobs", "manage_fleet", "manage_nodes", scopes=ANY_SCOPE),
    **_for(f"{_ADMIN} or ({_READER})", "get_events", "get_uploads", scopes=ANY_SCOPE),
    **_for("", "get_status", scopes=ANY_SCOPE),
}
"""The appliance's own operations, which an admin of the system may do, too."""

_CHANGED_WHOLE = ("namespace", "object", "tag")
METADEFS = {
    "get_metadef_namespaces": Default(f"{_ADMIN} or ({_READER})", PROJECT),
    **_for(
        _DEFINITION,
        "get_metadef_namespace",
        "get_metadef_objects",
        "get_metadef_object",
        "get_metadef_properties",
        "get_metadef_property",
        "get_metadef_tags",
        "get_metadef_tag",
        "list_metadef_resource_types",
        "get_metadef_resource_type",
    ),
    **_for(
        "rule:metadef_admin",
        *(f"{doing}_metadef_{kind}" for kind in _CHANGED_WHOLE for doing in ("add", "modify", "delete")),
        "add_metadef_property",
        "modify_metadef_property",
        "remove_metadef_property",
        "add_metadef_tags",
        "delete_metadef_tags",
        "add_metadef_resource_type_association",
        "remove_metadef_resource_type_association",
    ),
}

RULES: dict[str, Default] = {**BASE, **IMAGES, **OURS, **METADEFS}

NOT_ASKED = frozenset({"get_task", "get_tasks", "add_task", "modify_task"})
"""Policies that Glance has, and asks for no request of a client's."""

_CHANGES = frozenset(
    {"modify_image", "delete_image", "upload_image", "deactivate", "reactivate", "set_image_location"}
    | {"delete_image_location"}
)
"""What Glance lets only the owner and admins do to an image in the end, whatever its policies say."""


class ImageTarget:
    """An image as policies see it: its attributes, and its extra properties by their names."""

    def __init__(self, caller: Caller, image: ImageRecord) -> None:
        self._caller = caller
        self._image = image

    def get(self, name: str, default: Any = None, /) -> Any:
        image = self._image
        if name in ("project_id", "owner"):
            return image.owner
        if name in ("member_id", "member"):
            shared = image.visibility == "shared" and image.shared_with_caller
            return self._caller.project_id if shared and self._caller.project_id != image.owner else None
        if name == "image_id":
            return image.id
        if name in ("created_at", "updated_at"):
            return seconds_text(getattr(image, name))
        return getattr(image, name) if name in _ATTRIBUTES else image.properties.get(name, default)


_ATTRIBUTES = frozenset(
    {"id", "name", "status", "visibility", "protected", "os_hidden", "disk_format", "container_format", "tags"}
    | {"min_disk", "min_ram", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value"}
)


def credentials(caller: Caller) -> Credentials:
    """What rules may ask of a caller."""
    return {
        "user_id": caller.user_id,
        "user_domain_id": caller.user_domain_id,
        "project_id": caller.project_id,
        "project_domain_id": caller.project_domain_id,
        "tenant": caller.project_id,
        "domain_id": caller.domain_id,
        "system_scope": "all" if caller.system else None,
        "roles": caller.roles,
        "is_admin": caller.is_admin,
        "is_admin_project": True,
        "service_user_id": None,
        "service_user_domain_id": None,
        "service_project_id": None,
        "service_project_domain_id": None,
        "service_roles": caller.service_roles,
    }


def scope_of(caller: Caller) -> str:
    if caller.system:
        return "system"
    return "domain" if caller.domain_id is not None else "project"


class ImagePolicies:
    """Asks the policies, and refuses as Glance does: what a caller may not see does not exist for them."""

    def __init__(self, settings: Settings, needed: Mapping[str, str] | None = None) -> None:
        """`needed` are rules that something else names. Raises `WrongUsage` for a file that can't be meant."""
        self.rules = PolicyRules(RULES, "policy_file", settings.policy_file, not_asked=NOT_ASKED, needed=needed)

    def admitted(self, caller: Caller) -> Caller:
        """The caller, an admin if the policy file says so."""
        if not self.rules.is_overridden("context_is_admin"):
            return caller
        return replace(caller, admin=self.rules.rule("context_is_admin")(credentials(caller), {}))

    def allows(self, caller: Caller, operation: str, image: ImageRecord) -> bool:
        """Whether the caller may do it to this image."""
        return visible(caller, image) and self._allows(caller, operation, ImageTarget(caller, image))

    def _allows(self, caller: Caller, operation: str, target: Target) -> bool:
        return self.rules.allows(operation, credentials(caller), target, scope_of(caller))

    def enforce(self, caller: Caller, operation: str, image: ImageRecord) -> None:
        """Raise `Forbidden` if the caller may not do it, `NotFound` if not even know that the image exists."""
        if not self.allows(caller, operation, image):
            if operation == "get_image" or not self.allows(caller, "get_image", image):
                raise not_found(image.id)
            raise _refused(operation)
        if operation in _CHANGES and not caller.is_admin and (image.owner is None or image.owner != caller.project_id):
            raise Forbidden("You do not own this image")

    def enforce_create(self, caller: Caller, owner: str | None, visibility: str) -> None:
        """Raise `Forbidden` if the caller may not make an image for this owner with this visibility."""
        target = {"project_id": owner, "owner": owner, "visibility": visibility}
        if not self._allows(caller, "add_image", target):
            if owner != caller.project_id:
                raise Forbidden(f"You are not permitted to create images owned by '{owner}'")
            raise _refused("add_image")
        operation = _VISIBILITIES.get(visibility)
        if operation and not self._allows(caller, operation, target):
            raise _refused(operation)

    def enforce_visibility(self, caller: Caller, image: ImageRecord, visibility: str) -> None:
        """Raise if the caller may not give the image this visibility."""
        if visibility in _VISIBILITIES:
            self.enforce(caller, _VISIBILITIES[visibility], image)

    def enforce_list(self, caller: Caller) -> None:
        """Raise `Forbidden` if the caller may not list images at all."""
        self.enforce_service(caller, "get_images")

    def hides_listed(self) -> bool:
        """Whether somebody who may list images might not see one of them. By the defaults that can't be."""
        return self.rules.is_overridden("get_images", "get_image")

    def enforce_service(self, caller: Caller, operation: str, image: ImageRecord | None = None) -> None:
        """For operations that concern the service, or what it has of an image. Raises `Forbidden`."""
        target: Target = {"project_id": caller.project_id} if image is None else ImageTarget(caller, image)
        if not self._allows(caller, operation, target):
            raise _refused(operation)

    def sees_locations(self, caller: Caller, image: ImageRecord) -> bool:
        """Where the data is: for the owner and admins, and for them alone while the image is deactivated."""
        if image.status == "deactivated" and not caller.is_admin:
            return False
        return self.allows(caller, "get_image_location", image)

    # -- metadata definitions ------------------------------------------------------------------------------------------

    def allows_definition(self, caller: Caller, operation: str, namespace: NamespaceRecord | None = None) -> bool:
        """Whether the caller may do it to a namespace, or at all if there is none yet."""
        target = {"project_id": caller.project_id}
        if namespace is not None:
            target = {"project_id": namespace.owner, "visibility": namespace.visibility}
        return self._allows(caller, operation, target)

    def enforce_definition(self, caller: Caller, operation: str, namespace: NamespaceRecord | None = None) -> None:
        """Raise `Forbidden` if the caller may not do it, `NotFound` if not even see what it would be done to."""
        if self.allows_definition(caller, operation, namespace):
            return
        seen = operation != "get_metadef_namespace" and self.allows_definition(
            caller, "get_metadef_namespace", namespace
        )
        raise _refused(operation) if seen else NotFound("The resource could not be found.")


_VISIBILITIES = {"public": "publicize_image", "community": "communitize_image"}


def _refused(operation: str) -> Forbidden:
    return Forbidden(f"You are not authorized to complete {operation} action.")

"""How metadata definitions look in answers. What is not known is left out."""

from collections.abc import Iterable
from typing import Any

from appliance.db.image.metadef_items import ObjectRecord, PropertyRecord, TagRecord
from appliance.db.image.metadefs import AssociationRecord, NamespaceRecord, ResourceTypeRecord
from appliance.image.metadefs.bodies import Contents
from appliance.values import Micros, seconds_text

Json = dict[str, Any]

NAMESPACES = "/v2/metadefs/namespaces"
SCHEMAS = "/v2/schemas/metadefs"


def _known(view: Json) -> Json:
    return {key: value for key, value in view.items() if value is not None}


def _time(at: Micros | None) -> str | None:
    return None if at is None else seconds_text(at)


def _times(record: ObjectRecord | TagRecord | AssociationRecord | NamespaceRecord | ResourceTypeRecord) -> Json:
    return {"created_at": _time(record.created_at), "updated_at": _time(record.updated_at)}


def namespace(record: NamespaceRecord, **contents: Any) -> Json:
    """A namespace, with what is in it between its times and its links. None is left out."""
    return _known(
        {
            "namespace": record.namespace,
            "display_name": record.display_name,
            "description": record.description,
            "visibility": record.visibility,
            "protected": record.protected,
            "owner": record.owner,
            **_times(record),
            **contents,
            "self": f"{NAMESPACES}/{record.namespace}",
            "schema": f"{SCHEMAS}/namespace",
        }
    )


def created_namespace(record: NamespaceRecord, contents: Contents) -> Json:
    """A new namespace: it shows what the client gave, empty lists included, and nothing that the service adds."""
    return namespace(
        record,
        resource_type_associations=_each(bare_association, contents.associations),
        properties=contents.properties,
        objects=_each(bare_object, contents.objects),
        tags=_each(bare_tag, contents.tags),
    )


def whole_namespace(record: NamespaceRecord, contents: Contents) -> Json:
    """A namespace with everything in it; what is empty is left out."""
    return namespace(
        record,
        resource_type_associations=_each(association, contents.associations) or None,
        properties=contents.properties or None,
        objects=[metadef_object(record.namespace, item) for item in contents.objects or ()] or None,
        tags=_each(bare_tag, contents.tags) or None,
    )


def _each(view: Any, records: Iterable[Any] | None) -> list[Json] | None:
    return None if records is None else [view(record) for record in records]


def bare_object(record: ObjectRecord) -> Json:
    """What a client says of an object."""
    return _known(
        {
            "name": record.name,
            "required": None if record.required is None else list(record.required),
            "description": record.description,
            "properties": record.properties,
        }
    )


def metadef_object(namespace_name: str, record: ObjectRecord) -> Json:
    return {
        **bare_object(record),
        **_known(_times(record)),
        "self": f"{NAMESPACES}/{namespace_name}/objects/{record.name}",
        "schema": f"{SCHEMAS}/object",
    }


def metadef_property(record: PropertyRecord) -> Json:
    """A property on its own, under the name that it has."""
    return {"name": record.name, **{key: value for key, value in record.definition.items() if key != "name"}}


def bare_tag(record: TagRecord) -> Json:
    return {"name": record.name}


def tag(record: TagRecord) -> Json:
    return _known({"name": record.name, **_times(record)})


def bare_association(record: AssociationRecord) -> Json:
    """What a client says of an association."""
    return _known({"name": record.name, "prefix": record.prefix, "properties_target": record.properties_target})


def association(record: AssociationRecord) -> Json:
    return {**bare_association(record), **_known(_times(record))}


def resource_type(record: ResourceTypeRecord) -> Json:
    return _known({"name": record.name, **_times(record)})

"""What is kept of a deleted image: its place in lists, and for Image API v1, which still shows it, the rest."""

import dataclasses
import json

from appliance.db.images import ImageRecord
from appliance.values import Micros

_NOT_KEPT = frozenset({"locations", "shared_with_caller", "staged_store", "staged_content", "revision", "tags"})


def obituary(image: ImageRecord, *, whole: bool) -> str:
    """The image's facts as text, without where its data lay; without its properties either unless `whole`."""
    left_out = _NOT_KEPT if whole else _NOT_KEPT | {"properties"}
    facts = {field.name: getattr(image, field.name) for field in dataclasses.fields(image)}
    return json.dumps({name: value for name, value in facts.items() if name not in left_out})


def as_it_was(facts: str) -> ImageRecord:
    """The image at the moment before it was deleted."""
    return ImageRecord(**json.loads(facts))


def remembered(facts: str, deleted_at: Micros) -> ImageRecord:
    """The deleted image, as it is shown."""
    image = as_it_was(facts)
    image.status = "deleted"
    image.updated_at = deleted_at
    return image

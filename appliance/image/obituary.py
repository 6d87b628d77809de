"""What is kept of a deleted image for Image API v1, which still shows it to admins."""

import dataclasses
import json

from appliance.db.images import ImageRecord
from appliance.values import Micros

_NOT_KEPT = frozenset({"locations", "shared_with_caller", "staged_store", "staged_content", "revision", "tags"})


def obituary(image: ImageRecord) -> str:
    """The image's facts as text, without where its data lay."""
    facts = {field.name: getattr(image, field.name) for field in dataclasses.fields(image)}
    return json.dumps({name: value for name, value in facts.items() if name not in _NOT_KEPT})


def remembered(facts: str, deleted_at: Micros) -> ImageRecord:
    """The image that an obituary is of."""
    image = ImageRecord(**json.loads(facts))
    image.status = "deleted"
    image.updated_at = deleted_at
    return image

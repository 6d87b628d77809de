"""Rows of credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.db.records import Table, computed


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    id: str
    type: str
    user_id: str
    project_id: str | None = None
    sealed_blob: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    blob: str = computed("")
    """What is sealed."""


CREDENTIALS = Table("credentials", Credential)

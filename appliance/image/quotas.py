"""Limits of a project that the identity service keeps: on images, their bytes, and on what is on its way in."""

from collections.abc import Callable, Mapping

from appliance.db.engine.base import Database, Tx
from appliance.db.image.contents import usage
from appliance.errors import LimitExceeded
from appliance.image.context import ImageContext
from appliance.values import MIB

FindLimits = Callable[[str], Mapping[str, int]]
"""A project in, its limits by resource out. What is not among them is limited to nothing at all."""

SIZE, STAGED, COUNT, UPLOADING = "image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"
RESOURCES = (SIZE, STAGED, COUNT, UPLOADING)


class Quota:
    """The limits of one project, looked up before a transaction begins and checked in it."""

    def __init__(self, owner: str, limits: Mapping[str, int]) -> None:
        self._owner = owner
        self._limits = limits

    def check(self, tx: Database | Tx, **more: int) -> None:
        """Raise `LimitExceeded` if the project has more than its limit once these amounts are added."""
        used = _used(tx, self._owner)
        for resource, amount in more.items():
            limit = self._limits.get(resource, 0)
            if used[resource] + amount > limit:
                raise LimitExceeded(
                    f"Project {self._owner} is over a limit for {resource}: "
                    f"{used[resource]} of {limit} are used, and {amount} more were asked for."
                )


class _Unlimited(Quota):
    def __init__(self) -> None:
        super().__init__("", {})

    def check(self, tx: Database | Tx, **more: int) -> None:
        """Let it pass."""


class Quotas:
    """Quotas of projects, if the settings have any enforced."""

    def __init__(self, context: ImageContext, find_limits: FindLimits | None) -> None:
        self._db = context.db
        self._find_limits = find_limits if context.settings.use_keystone_limits else None

    def of(self, owner: str | None) -> Quota:
        """What holds for an owner's images; images of nobody are not limited."""
        if self._find_limits is None or owner is None:
            return _Unlimited()
        return Quota(owner, self._find_limits(owner))

    def report(self, project: str | None) -> dict[str, dict[str, int]]:
        """What the project uses, and may use; nothing if no limits are enforced."""
        if self._find_limits is None or project is None:
            return {}
        limits, used = self._find_limits(project), _used(self._db, project)
        return {resource: {"usage": used[resource], "limit": limits.get(resource, 0)} for resource in RESOURCES}


def _used(reader: Database | Tx, owner: str) -> dict[str, int]:
    found = usage(reader, owner)
    return {
        SIZE: found["stored"] // MIB,
        STAGED: found["staged"] // MIB,
        COUNT: found["images"],
        UPLOADING: found["uploading"],
    }

"""What clients of several nodes did and were told, and whether an image service could have answered like that.

The model: an image is a register that is made, gets its bytes once, and goes; none of that is ever undone. A quota is a
counter with a bound. A revocation is a barrier: what begins after it was acknowledged is refused. A call whose answer
was lost may have happened at any time since it began, or not at all.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


@dataclass
class Call:
    """One call: what it was about, when it ran, and how it ended. `value` is what was written, or what was read."""

    kind: str
    subject: str
    began: float
    value: str = ""
    ended: float = float("inf")
    outcome: str = UNKNOWN
    note: str = ""
    """How it failed, for people."""

    def __str__(self) -> str:
        when = f"[{self.began:.3f}, {self.ended:.3f}]"
        return f"{self.kind} {self.subject} {when}: {self.outcome} {self.value} {self.note}".rstrip()


@dataclass
class History:
    """All calls, in the order in which they began."""

    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def call(self, kind: str, subject: str, value: str = "") -> Iterator[Call]:
        """Record a call: whoever makes it says how it ended. One that raises has an unknown outcome."""
        made = Call(kind, subject, time.monotonic(), value)
        with self._lock:
            self.calls.append(made)
        yield made
        made.ended = time.monotonic()

    def of(self, *kinds: str) -> list[Call]:
        return [call for call in self.calls if call.kind in kinds]


def violations(history: History, quota: int) -> list[str]:
    """What no correct service could have answered; empty if all is well."""
    return [*_images(history), *_quota(history, quota), *_revocations(history)]


# -- images


def _images(history: History) -> Iterator[str]:
    by_image: dict[str, list[Call]] = defaultdict(list)
    for call in history.of("create", "upload", "delete", "read", "show"):
        by_image[call.subject].append(call)
    for calls in by_image.values():
        yield from _image(calls)


def _image(calls: list[Call]) -> Iterator[str]:
    uploads = [call for call in calls if call.kind == "upload"]
    deletes = [call for call in calls if call.kind == "delete" and call.outcome != REFUSED]
    stored = [call for call in uploads if call.outcome == OK]
    if len(stored) > 1:
        yield f"two uploads of one image were both acknowledged: {stored[0]} and {stored[1]}"
    for look in (call for call in calls if call.kind in ("read", "show") and call.outcome != UNKNOWN):
        deleted = [call for call in deletes if call.outcome == OK and call.ended < look.began]
        may_be_deleted = any(call.began < look.ended for call in deletes)
        made = any(call.kind == "create" and call.outcome == OK and call.ended < look.began for call in calls)
        is_stored = any(call.ended < look.began for call in stored)
        if look.outcome == OK and deleted:
            yield f"a deleted image came back: {look} after {deleted[0]}"
        if look.outcome == REFUSED and made and not may_be_deleted:
            yield f"an image is lost: {look}"
        if look.outcome != OK:
            continue
        if look.kind == "show" and look.value != "active" and is_stored and not may_be_deleted:
            yield f"an acknowledged upload is undone: {look}"
        if look.kind == "read":
            possible = {call.value for call in uploads if call.outcome != REFUSED and call.began < look.ended}
            if look.value and look.value not in possible:
                yield f"bytes that nobody uploaded: {look}"
            if not look.value and is_stored and not may_be_deleted:
                yield f"the bytes of an acknowledged upload are gone: {look}"


# -- quotas


def _quota(history: History, quota: int) -> Iterator[str]:
    """Of images that are `taken` and `freed`: at no time can there have been more than the quota."""
    takes, frees = history.of("take"), history.of("free")
    freed_by = {call.subject: call for call in frees if call.outcome != REFUSED}
    for moment in takes:
        if moment.outcome == OK:
            surely = [
                one
                for one in takes
                if one.outcome == OK
                and one.ended <= moment.ended
                and (one.subject not in freed_by or freed_by[one.subject].began > moment.ended)
            ]
            if len(surely) > quota:
                yield f"{len(surely)} images of {quota}: {moment}"
        if moment.outcome == REFUSED:
            possibly = [
                one
                for one in takes
                if one is not moment
                and one.outcome != REFUSED
                and one.began < moment.ended
                and not (
                    one.subject in freed_by
                    and freed_by[one.subject].outcome == OK
                    and freed_by[one.subject].ended < moment.began
                )
            ]
            if len(possibly) < quota:
                yield f"refused with at most {len(possibly)} images of {quota}: {moment}"


# -- revocations


def _revocations(history: History) -> Iterator[str]:
    revoked = {call.subject: call for call in history.of("revoke") if call.outcome == OK}
    tried = {call.subject: call for call in history.of("revoke")}
    for use in history.of("use"):
        barrier, attempt = revoked.get(use.subject), tried.get(use.subject)
        if use.outcome == OK and barrier is not None and barrier.ended < use.began:
            yield f"a revoked token was taken: {use} after {barrier}"
        if use.outcome == REFUSED and (attempt is None or use.ended < attempt.began):
            yield f"a good token was refused: {use}"

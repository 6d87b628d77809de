"""Open segments, shared between readers and counted, so that a thousand readers need few file descriptors."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from appliance.blobs.shelf import SegmentHandle, Shelf

_IDLE = 64


@dataclass(slots=True)
class _Entry:
    handle: SegmentHandle
    users: int
    doomed: bool = False


class Handles:
    """Hands out open segments by name. Each `acquire` is answered by one `release`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def acquire(self, name: str) -> SegmentHandle:
        """Raises `SegmentMissing` if the shelf has it no more and nobody has it open."""
        with self._lock:
            if entry := self._taken(name):
                return entry.handle
        handle = self._shelf.open(name)
        with self._lock:
            # Another thread may have opened it while this one did.
            if entry := self._taken(name):
                handle.close()
                return entry.handle
            self._entries[name] = _Entry(handle, 1)
            return handle

    def _taken(self, name: str) -> _Entry | None:
        entry = self._entries.get(name)
        if entry is not None:
            entry.users += 1
            self._entries.move_to_end(name)
        return entry

    def release(self, name: str) -> None:
        with self._lock:
            entry = self._entries[name]
            entry.users -= 1
            if entry.users == 0 and entry.doomed:
                del self._entries[name]
                entry.handle.close()
            self._shrink()

    def _shrink(self) -> None:
        idle = [name for name, entry in self._entries.items() if entry.users == 0]
        for name in idle[: max(0, len(idle) - _IDLE)]:
            self._entries.pop(name).handle.close()

    def forget(self, name: str) -> None:
        """The segment was deleted: close it as soon as its last reader is through, so that its space comes back."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return
            entry.doomed = True
            if entry.users == 0:
                del self._entries[name]
                entry.handle.close()

    def close(self) -> None:
        """Close what nobody uses; what is in use closes with its last release."""
        with self._lock:
            for name, entry in list(self._entries.items()):
                entry.doomed = True
                if entry.users == 0:
                    del self._entries[name]
                    entry.handle.close()

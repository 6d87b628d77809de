"""The bytes of an upload on their way in: counted, hashed, and looked at by the format inspector."""

import logging
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oslo_utils.imageutils import format_inspector

from appliance.blobs.index import Sealed
from appliance.blobs.known_content import ReadableByCaller
from appliance.errors import Invalid, LimitExceeded, StorageFull, UnsupportedFormat
from appliance.image.signature import Verifier
from appliance.image.stores import Store
from appliance.values import KIB, MIB, Source

log = logging.getLogger(__name__)

_VERSION = re.compile(rb"^version=[123]\r?$", re.MULTILINE)
_LARGEST = 2**63 - 1
"""No disk is larger, and no column holds more."""
_FIRST_CHUNK = MIB
_STEPS = {"vhdx": 32 * KIB}
"""This inspector finds one thing in each chunk, which says where the next one is: that has to be in a later chunk."""
_NOT_GPT_AFTER_ALL = frozenset({"aki", "ari"})
"""Kernels begin with what looks like a partition table, and only looks so."""


class Inspection:
    """Watches an image's bytes go by and gives the verdict at their end."""

    def __init__(self, disk_format: str | None, *, must_match: bool, nonfatal_gpt_checks: Collection[str] = ()) -> None:
        self._disk_format = disk_format
        self._must_match = must_match
        self._nonfatal = frozenset(nonfatal_gpt_checks)
        if disk_format in _NOT_GPT_AFTER_ALL:
            self._nonfatal |= {"mbr"}
        self._raw = format_inspector.RawFileInspector()
        self._inspectors = [make() for name, make in format_inspector.ALL_FORMATS.items() if name != "raw"]
        self._reading = [self._raw, *self._inspectors]
        self._size = 0
        self._head: bytes | None = b""

    def write(self, chunk: bytes) -> None:
        """The next bytes."""
        self._size += len(chunk)
        if self._head is not None:
            # Some look only into the first chunk for what may come later, so that is a large one.
            self._head += chunk
            if len(self._head) < _FIRST_CHUNK:
                return
            chunk, self._head = self._head, None
        self._show(chunk)

    def _show(self, chunk: bytes) -> None:
        for inspector in list(self._reading):
            step = _STEPS.get(str(inspector), len(chunk))
            try:
                for start in range(0, len(chunk), step):
                    inspector.eat_chunk(chunk[start : start + step])
            except Exception as error:
                # It may still be that format, and will have to say so, but makes no sense to its inspector.
                log.debug("the %s inspector stopped reading: %s", inspector, error)
                self._reading.remove(inspector)

    def verdict(self) -> int | None:
        """The virtual size, None if it is unknown. Raises `UnsupportedFormat` for data that must not be stored."""
        if not self._size:
            return None
        if self._head is not None:
            self._show(self._head)
            self._head = None
        try:
            for inspector in (self._raw, *self._inspectors):
                inspector.finish()
            inspector = self._detected()
            virtual_size = self._virtual_size(inspector)
            self._check_safety(inspector)
        except format_inspector.ImageFormatError as error:
            raise UnsupportedFormat(f"Image format inspection failed: {error}") from error
        except UnsupportedFormat:
            raise
        except Exception as error:
            log.warning("an image's format could not be inspected: %r", error)
            if self._must_match:
                raise UnsupportedFormat("Image format inspection failed") from error
            return None
        if not 0 <= virtual_size <= _LARGEST:
            raise UnsupportedFormat(f"Image format inspection failed: a disk of {virtual_size} bytes can't be")
        return virtual_size or None

    def _detected(self) -> format_inspector.FileInspector:
        """The one format that the data is in. Raises `ImageFormatError` if it is in several."""
        found = {str(match): match for match in self._inspectors if _matches(match)}
        # An ISO image that also boots from a disk carries a partition table in front.
        if found.keys() == {"iso", "gpt"} and self._disk_format == "iso":
            return found["iso"]
        if len(found) > 1:
            raise format_inspector.ImageFormatError(f"Multiple formats detected: {', '.join(sorted(found))}")
        return next(iter(found.values()), self._raw)

    def _virtual_size(self, inspector: format_inspector.FileInspector) -> int:
        detected = str(inspector)
        if detected == self._disk_format:
            return int(inspector.virtual_size)
        if self._disk_format == "raw":
            return self._size
        if detected == "raw" and self._disk_format not in format_inspector.ALL_FORMATS:
            return 0
        mismatch = f"Image disk_format {self._disk_format} does not match stream data {detected}"
        if self._must_match:
            raise UnsupportedFormat(mismatch)
        log.warning("%s; its virtual size stays unknown", mismatch)
        return 0

    def _check_safety(self, inspector: format_inspector.FileInspector) -> None:
        try:
            inspector.safety_check()
        except format_inspector.SafetyCheckFailed as error:
            if str(inspector) == "gpt" and error.failures.keys() <= self._nonfatal:
                log.warning("accepted a partition table that fails the checks %s", ", ".join(error.failures))
                return
            log.warning("refused a %s image that fails the checks %s", inspector, ", ".join(error.failures))
            raise UnsupportedFormat("Image failed safety checks") from error


def _matches(inspector: format_inspector.FileInspector) -> bool:
    """Whether the data is of the inspector's format. One that can't tell says no, unless qemu would say yes."""
    try:
        found = bool(inspector.format_match)
    except Exception as error:
        log.debug("the %s inspector can't tell whether it matches: %r", inspector, error)
        found = False
    if not found and str(inspector) == "vmdk" and _describes_a_disk(bytes(inspector.region("descriptor").data)):
        raise format_inspector.ImageFormatError("a VMDK descriptor that can't be read")
    return found


def _describes_a_disk(text: bytes) -> bool:
    """Whether qemu takes it for a descriptor. The inspector does so only if every byte is ASCII."""
    text = text.partition(b"\0")[0].lstrip().lower()
    return text.startswith((b"#", b"version=")) and b'createtype="' in text and bool(_VERSION.search(text))


_CHUNK = MIB

_ReadInto = Callable[[memoryview], int]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes may come, and which sentence refuses more."""

    declared: int | None
    """What the client said; the bytes have to add up to it. None if it did not say."""
    size_cap: int
    quota_left: int | None = None

    def check(self, size: int) -> None:
        """Raise `LimitExceeded` if so many bytes are too many."""
        if size > self.size_cap:
            said = f"has {size}" if size == self.declared else f"has more than {self.size_cap}"
            raise LimitExceeded(
                f"The incoming image is too large: it {said} bytes, and an image may have {self.size_cap}."
            )
        if self.quota_left is not None and size > self.quota_left:
            raise LimitExceeded(
                f"Image exceeds the storage quota: it takes {size} bytes and the project has {self.quota_left} left."
            )

    def check_declared(self, store: Store) -> None:
        """Refuse what can't fit before its first byte is read."""
        if self.declared is None:
            return
        self.check(self.declared)
        free = store.free_space()
        if free is not None and self.declared > (free := max(0, free)):
            store.writer.reserve.miss(self.declared)
            raise StorageFull(
                f"Image storage media is full: the image has {self.declared} bytes, and there is room for {free}."
            )


@dataclass(frozen=True, slots=True)
class Taken:
    """What an ingest produced: durable bytes that no row names yet."""

    sealed: Sealed
    virtual_size: int | None


@contextmanager
def ingest(
    store: Store,
    source: Source,
    limits: Limits,
    *,
    hash_algorithm: str,
    inspection: Inspection | None,
    label: bytes,
    verifier: Verifier | None = None,
    progress: Callable[[int], None] | None = None,
    readable_by_caller: ReadableByCaller | None = None,
    scope: str,
) -> Iterator[Taken]:
    """Store a source's bytes. Commit `sealed` inside the block: leaving it gives up what was not committed.

    `readable_by_caller` says which stored contents the bytes may be recognized as; `scope` whose blocks they may reuse.
    A source that wants to know which content it is the same as so far has a method `follows`.
    """
    watching: list[Inspection | Verifier] = [watcher for watcher in (inspection, verifier) if watcher is not None]
    with store.writer.begin(
        hash_algorithm=hash_algorithm, readable_by_caller=readable_by_caller, expected_size=limits.declared, scope=scope
    ) as ingest:
        size = 0
        read = _reader(source)
        tell: Callable[[str, int | None], None] | None = getattr(source, "follows", None)
        while count := _fill(read, room := ingest.room()[:_CHUNK]):
            size += count
            limits.check(size)
            for watcher in watching:
                watcher.write(bytes(room[:count]))
            ingest.filled(count)
            if progress is not None:
                progress(size)
            if tell is not None:
                tell(store.id, ingest.following)
        if limits.declared is not None and size != limits.declared:
            raise Invalid(f"The size of uploaded data, {size} bytes, is different from the declared {limits.declared}.")
        virtual_size = inspection.verdict() if inspection is not None else None
        if verifier is not None:
            verifier.verify()
        yield Taken(ingest.seal(label), virtual_size)


def chunks(source: Source) -> Iterator[memoryview]:
    """The source's bytes in full chunks of 1 MiB. Each is valid until the next one is asked for."""
    buffer = memoryview(bytearray(_CHUNK))
    read = _reader(source)
    while count := _fill(read, buffer):
        yield buffer[:count]


def _fill(read: _ReadInto, room: memoryview) -> int:
    """How many bytes were put into the room: all that fit, or fewer if these are the last."""
    size = 0
    while size < len(room) and (count := read(room[size:])):
        size += count
    return size


def _reader(source: Source) -> _ReadInto:
    """The way to read with the fewest copies."""
    readinto: _ReadInto | None = getattr(source, "readinto", None)
    if readinto is not None:
        return readinto

    def read(room: memoryview) -> int:
        part = source.read(len(room))
        room[: len(part)] = part
        return len(part)

    return read

"""Is the data what it was declared to be, and is it safe to hand on? The field's own inspector decides."""

import logging
from collections.abc import Collection
from typing import IO, cast

from oslo_utils.imageutils import format_inspector

from appliance.errors import UnsupportedFormat

log = logging.getLogger(__name__)


class Inspection:
    """Watches an image's bytes go by and gives the verdict at their end."""

    def __init__(self, disk_format: str | None, *, must_match: bool, nonfatal_gpt_checks: Collection[str] = ()) -> None:
        self._disk_format = disk_format
        self._must_match = must_match
        self._nonfatal = frozenset(nonfatal_gpt_checks)
        self._feed = _Feed()
        self._wrapper = format_inspector.InspectWrapper(cast(IO[bytes], self._feed))
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """The next bytes."""
        self._size += len(chunk)
        self._feed.chunk = chunk
        self._wrapper.read(len(chunk))

    def verdict(self) -> int | None:
        """The virtual size, None if it is unknown. Raises `UnsupportedFormat` for data that must not be stored."""
        self._wrapper.close()
        if not self._size:
            return None
        try:
            inspector = self._detected()
            virtual_size = self._virtual_size(inspector)
            self._check_safety(inspector)
        except format_inspector.ImageFormatError as error:
            raise UnsupportedFormat(f"Image format inspection failed: {error}") from error
        return virtual_size or None

    def _detected(self) -> format_inspector.FileInspector:
        found = {str(match): match for match in self._wrapper.formats or ()}
        # An ISO image that also boots from a disk carries a partition table in front.
        if found.keys() == {"iso", "gpt"}:
            return found["iso"]
        inspector = self._wrapper.format
        assert inspector is not None, "the stream has ended, so the format is decided"
        return inspector

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


class _Feed:
    """The source that the inspector reads: whatever chunk was put here last."""

    def __init__(self) -> None:
        self.chunk = b""

    def read(self, size: int) -> bytes:
        return self.chunk

    def close(self) -> None:
        self.chunk = b""

"""The journal of deletions as a file: uploads that were deleted, so that a rebuild does not bring them back.

Entries of a fixed size, each with its CRC32. A torn last entry is the mark of a crash and is passed over.
"""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from appliance.blobs.durable import Disk, append_durably, disk_failure

_UPLOAD = 16
_CRC = struct.Struct("<I")
_ENTRY = _UPLOAD + _CRC.size


class Tombstones:
    """The journal of one directory."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._path = directory / "deleted"
        self._disk = disk

    def add(self, uploads: Iterable[bytes]) -> None:
        """Durable when this returns."""
        data = b"".join([upload + _CRC.pack(zlib.crc32(upload)) for upload in uploads])
        if not data:
            return
        try:
            torn = self._path.stat().st_size % _ENTRY if self._path.exists() else 0
        except OSError as error:
            raise disk_failure(error, "looking at the journal of deletions") from error
        # A torn entry is filled up, so that those after it stay on their places.
        append_durably(self._disk, self._path, bytes(_ENTRY - torn if torn else 0) + data)

    def all(self) -> set[bytes]:
        """Every deleted upload."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise disk_failure(error, "reading the journal of deletions") from error
        uploads = set()
        for start in range(0, len(data) - _ENTRY + 1, _ENTRY):
            upload = data[start : start + _UPLOAD]
            if _CRC.pack(zlib.crc32(upload)) == data[start + _UPLOAD : start + _ENTRY]:
                uploads.add(upload)
        return uploads

"""Compressed data on its way in, decompressed as it is read: bounded in memory and in what one step gives.

How much comes out in all is for whoever reads it to bound, and to stop.
"""

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from appliance.errors import UnsupportedFormat
from appliance.values import KIB, MIB, Source

_MOST_AT_ONCE = MIB
"""Bytes that one step of decompression may give: a bomb swells slowly enough to meet the size cap first."""


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflate:
    """zlib with the manners of bz2 and lzma."""

    def __init__(self, wbits: int) -> None:
        self._engine = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def needs_input(self) -> bool:
        return not (self.eof or self._full or self._engine.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        result = self._engine.decompress(self._engine.unconsumed_tail + data, max_length)
        self._full = len(result) == max_length
        return result


_XZ_MEMORY = 128 * MIB
"""`xz -9` asks for 65 MiB to decompress; who made a larger dictionary wants our memory."""


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


# How a compressed stream begins, and what undoes it.
_MAGIC: tuple[tuple[bytes, Callable[[], _Engine]], ...] = (
    (b"\x1f\x8b", lambda: _Inflate(16 + zlib.MAX_WBITS)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _xz),
)
_ZIP = b"PK\x03\x04"


class Decompressed:
    """A source that is decompressed as it is read, if it begins like something compressed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead = _read_exactly(source, 6)
        self.is_zip = self._ahead.startswith(_ZIP)
        self._make = next((make for magic, make in _MAGIC if self._ahead.startswith(magic)), None)
        self._engine = self._make() if self._make else None
        self._ready = b""

    @property
    def is_compressed(self) -> bool:
        return self._engine is not None

    def read(self, size: int = -1, /) -> bytes:
        size = MIB if size < 0 else size
        if self._engine is None:
            if self._ahead:
                part, self._ahead = self._ahead[:size], self._ahead[size:]
                return part
            return self._source.read(size)
        while not self._ready and self._advance():
            pass
        part, self._ready = self._ready[:size], self._ready[size:]
        return part

    def _advance(self) -> bool:
        """One step of decompression; False at the end."""
        assert self._engine is not None and self._make is not None
        data = b""
        if self._engine.eof:
            # Another member may follow, as when files were compressed one by one and joined.
            data = self._engine.unused_data or self._input()
            if not data:
                return False
            self._engine = self._make()
        elif self._engine.needs_input:
            data = self._input()
            if not data:
                raise UnsupportedFormat("The compressed data ends too early.")
        try:
            self._ready = self._engine.decompress(data, _MOST_AT_ONCE)
        except (OSError, zlib.error, lzma.LZMAError, EOFError) as error:
            raise UnsupportedFormat(f"The compressed data is damaged: {error}") from error
        return True

    def _input(self) -> bytes:
        data, self._ahead = self._ahead, b""
        return data or self._source.read(_INPUT)


def _read_exactly(source: Source, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := source.read(size - len(data))):
        data += part
    return data


_ENCRYPTED = 1
_INPUT = 64 * KIB
_LONGEST_READ = MIB


class Unzipped:
    """The one file of a zip archive. The library finds it; unpacking it step by step is our own business."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self._entry = self._find()
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, OSError, struct.error) as error:
            self._file.close()
            raise UnsupportedFormat(f"The zip archive can't be read: {error}") from error
        except UnsupportedFormat:
            self._file.close()
            raise
        self._left = self._entry.compress_size
        self._engine = _Inflate(-zlib.MAX_WBITS) if self._entry.compress_type == zipfile.ZIP_DEFLATED else None
        self._crc = 0
        self._size = 0

    def _find(self) -> zipfile.ZipInfo:
        with zipfile.ZipFile(cast(BinaryIO, _ShortReads(self._file))) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) != 1:
            raise UnsupportedFormat("A zip archive to be imported holds exactly one file.")
        entry = entries[0]
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & _ENCRYPTED:
            raise UnsupportedFormat("A zip archive to be imported is packed with deflate or not at all, and is open.")
        self._file.seek(entry.header_offset)
        name, extra = struct.unpack("<26xHH", self._file.read(30))
        self._file.seek(entry.header_offset + 30 + name + extra)
        return entry

    def read(self, size: int = -1, /) -> bytes:
        most = min(size, MIB) if size >= 0 else MIB
        data = b""
        try:
            while most and not data and not self._at_end():
                data = self._step(most)
        except zlib.error as error:
            raise UnsupportedFormat(f"The zip archive is damaged: {error}") from error
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if most and not data and (self._size, self._crc) != (self._entry.file_size, self._entry.CRC):
            raise UnsupportedFormat("The zip archive is damaged.")
        return data

    def _at_end(self) -> bool:
        if self._engine is None:
            return self._left <= 0
        return self._engine.eof or (self._left <= 0 and self._engine.needs_input)

    def _step(self, most: int) -> bytes:
        if self._engine is None:
            return self._packed(most)
        return self._engine.decompress(self._packed(_INPUT) if self._engine.needs_input else b"", most)

    def _packed(self, most: int) -> bytes:
        data = self._file.read(min(most, self._left))
        self._left = self._left - len(data) if data else 0
        return data

    def close(self) -> None:
        self._file.close()


class _ShortReads:
    """A file that is never read far at once. The library takes an archive's directory whole, however long it is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(_LONGEST_READ + 1 if size < 0 else min(size, _LONGEST_READ + 1))
        if len(data) > _LONGEST_READ:
            raise zipfile.BadZipFile("its directory is too long")
        return data

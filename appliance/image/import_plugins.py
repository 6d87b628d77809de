"""What imported bytes may go through on their way in: decompression, conversion, and properties set on the image."""

import bz2
import lzma
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from appliance.errors import Invalid, LimitExceeded, Unavailable, UnsupportedFormat
from appliance.image.import_sources import Offer
from appliance.image.inspection import Inspection
from appliance.image.intake import chunks
from appliance.settings import Settings
from appliance.values import MIB, Caller, Source

PLUGINS = ("no_op", "image_decompression", "image_conversion", "inject_image_metadata")


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


class _Gzip:
    """zlib with the manners of bz2 and lzma."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(wbits=31)
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


# How a compressed stream begins, and what undoes it.
_MAGIC: tuple[tuple[bytes, Callable[[], _Engine]], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
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
        return data or self._source.read(64 * 1024)


def _read_exactly(source: Source, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := source.read(size - len(data))):
        data += part
    return data


class Plugins:
    """The plugins that the settings name, in their order."""

    def __init__(self, settings: Settings) -> None:
        self._names = settings.image_import_plugins
        for name in self._names:
            if name not in PLUGINS:
                raise Invalid(f"image_import_plugins: there is no {name}")
        self._settings = settings
        self._output = settings.image_conversion_output_format
        self._workspace = settings.data_dir / "tmp"

    @contextmanager
    def applied(self, offer: Offer, disk_format: str | None) -> Iterator[tuple[Offer, str | None]]:
        """The offer as it comes out of the plugins, and the disk format that it has then."""
        decompress = "image_decompression" in self._names
        convert = "image_conversion" in self._names and disk_format not in (None, self._output)
        if not (decompress or convert):
            yield offer, disk_format
            return
        with self._workspace_directory() as directory:
            if decompress:
                offer = self._decompressed(offer, directory)
            if not convert:
                yield offer, disk_format
                return
            converted = self._convert(offer, disk_format or "raw", directory)
            with converted.open("rb") as file:
                size = converted.stat().st_size
                yield replace(offer, source=file, size=size, content=None), self._output

    @contextmanager
    def _workspace_directory(self) -> Iterator[Path]:
        self._workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="import-", dir=self._workspace) as name:
            yield Path(name)

    def _decompressed(self, offer: Offer, directory: Path) -> Offer:
        source = Decompressed(offer.source)
        if source.is_zip:
            spooled = self._spool(source, directory / "archive.zip")
            return replace(offer, source=_Unzipped(spooled), size=None, content=None)
        size = None if source.is_compressed else offer.size
        return replace(offer, source=source, size=size, content=None)

    def _spool(self, source: Source, path: Path) -> Path:
        """Write a source to a file, for tools that need one."""
        size = 0
        with path.open("wb") as file:
            for chunk in chunks(source):
                size += len(chunk)
                if size > self._settings.image_size_cap:
                    raise LimitExceeded(f"The image has more than {self._settings.image_size_cap} bytes.")
                file.write(chunk)
        return path

    def _convert(self, offer: Offer, disk_format: str, directory: Path) -> Path:
        """Let qemu-img make the format wanted, of data that has passed every check of safety first."""
        tool = shutil.which("qemu-img")
        if tool is None:
            raise Unavailable("qemu-img is not installed, so images can't be converted.")
        source = self._spool(offer.source, directory / "source")
        inspection = Inspection(disk_format, must_match=True)
        with source.open("rb") as file:
            for chunk in chunks(file):
                inspection.write(bytes(chunk))
        inspection.verdict()
        target = directory / "target"
        words = [tool, "convert", "-f", disk_format, "-O", self._output, str(source), str(target)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnsupportedFormat(f"The image can't be converted to {self._output}: {done.stderr.strip()[:200]}")
        source.unlink()
        return target

    def injected(self, caller: Caller) -> dict[str, str | None]:
        """The properties that the operator wants on images that this caller imports."""
        if "inject_image_metadata" not in self._names:
            return {}
        if caller.roles & {role.lower() for role in self._settings.inject_ignore_user_roles}:
            return {}
        return {name: value for name, _, value in (item.partition(":") for item in self._settings.inject_properties)}


class _Unzipped:
    """The one file of a zip archive."""

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
            names = [entry for entry in self._archive.infolist() if not entry.is_dir()]
            if len(names) != 1:
                raise UnsupportedFormat("A zip archive to be imported holds exactly one file.")
            self._file: Any = self._archive.open(names[0])
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UnsupportedFormat(f"The zip archive can't be read: {error}") from error

    def read(self, size: int = -1, /) -> bytes:
        try:
            return bytes(self._file.read(size if size >= 0 else MIB))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UnsupportedFormat(f"The zip archive is damaged: {error}") from error

"""What imported bytes may go through on their way in: decompression, conversion, and properties set on the image."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from appliance.errors import Invalid
from appliance.image.conversion import Converter, Workspace
from appliance.image.decompression import Decompressed, Unzipped
from appliance.image.imports.sources import Offer
from appliance.image.ingest import Inspection, Limits, chunks
from appliance.settings import Settings
from appliance.values import Caller, Source

PLUGINS = ("no_op", "image_decompression", "image_conversion", "inject_image_metadata")


class Plugins:
    """The plugins that the settings name, in their order. `check` is called at every read, and ends the work."""

    def __init__(self, settings: Settings, workspace: Workspace, check: Callable[[], None] = lambda: None) -> None:
        self._names = settings.image_import_plugins
        for name in self._names:
            if name not in PLUGINS:
                raise Invalid(f"image_import_plugins: there is no {name}")
        self._settings = settings
        self._output = settings.image_conversion_output_format
        self._workspace = workspace
        self._check = check
        self._converter = Converter(settings, workspace, check)

    @contextmanager
    def applied(self, offer: Offer, disk_format: str | None, limits: Limits) -> Iterator[tuple[Offer, str | None]]:
        """The offer as it comes out of the plugins, and the disk format that it has then."""
        decompress = "image_decompression" in self._names
        convert = "image_conversion" in self._names and disk_format not in (None, "iso", self._output)
        if not (decompress or convert):
            yield offer, disk_format
            return
        with self._workspace.directory() as directory:
            with self._decompressed(offer, directory, limits) if decompress else nullcontext(offer) as plain:
                if not convert:
                    yield plain, disk_format
                    return
                with self._converted(plain, disk_format or "raw", directory, limits) as converted:
                    yield converted, self._output

    @contextmanager
    def _decompressed(self, offer: Offer, directory: Path, limits: Limits) -> Iterator[Offer]:
        source = Decompressed(_Checked(offer.source, self._check))
        if source.is_zip:
            archive = Unzipped(self._spool(source, directory / "archive.zip", limits))
            try:
                yield replace(offer, source=_Checked(archive, self._check), size=None, content=None)
            finally:
                archive.close()
            return
        size = None if source.is_compressed else offer.size
        yield replace(offer, source=source, size=size, content=None)

    def _spool(self, source: Source, path: Path, limits: Limits) -> Path:
        """Write a source to a file, for tools that need one."""
        size = 0
        with path.open("wb") as file:
            for chunk in chunks(source):
                size += len(chunk)
                limits.check(size)
                self._workspace.check()
                file.write(chunk)
        return path

    @contextmanager
    def _converted(self, offer: Offer, disk_format: str, directory: Path, limits: Limits) -> Iterator[Offer]:
        """Another format, made of data that has passed every check of safety first."""
        self._converter.check_installed()
        source = self._spool(_Checked(offer.source, self._check), directory / "source", limits)
        (directory / "archive.zip").unlink(missing_ok=True)
        inspection = Inspection(disk_format, must_match=True)
        with source.open("rb") as file:
            for chunk in chunks(file):
                inspection.write(bytes(chunk))
        virtual_size = inspection.verdict()
        target = self._converter.convert(source, disk_format, virtual_size, limits)
        source.unlink()
        with target.open("rb") as converted:
            yield replace(offer, source=converted, size=target.stat().st_size, content=None)

    def injected(self, caller: Caller) -> dict[str, str | None]:
        """The properties that the operator wants on images that this caller imports."""
        if "inject_image_metadata" not in self._names:
            return {}
        if caller.roles & {role.lower() for role in self._settings.inject_ignore_user_roles}:
            return {}
        return {name: value for name, _, value in (item.partition(":") for item in self._settings.inject_properties)}


class _Checked:
    """A source that can be called off at every read, also while what comes of it is nothing."""

    def __init__(self, source: Source, check: Callable[[], None]) -> None:
        self._source = source
        self._check = check

    def read(self, size: int = -1, /) -> bytes:
        self._check()
        return self._source.read(size)

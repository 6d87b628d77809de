"""Where an image's data comes from: the request's body, an address to copy from, an address to leave it at, nowhere."""

from dataclasses import dataclass

from appliance.api.http.messages import Request
from appliance.api.legacy.image_v1.dialect import Headers
from appliance.db.image.images import ImageRecord
from appliance.errors import Invalid
from appliance.image.data import check_formats
from appliance.image.legacy.images import LegacyImages
from appliance.settings import Settings
from appliance.values import Caller

_OCTETS = "application/octet-stream"
_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Data:
    """What one request brings. At most one of `in_body`, `copy_from` and `location` is set."""

    in_body: bool
    copy_from: str | None
    location: str | None
    size: int | None
    checksum: str | None
    store_id: str | None

    @property
    def comes(self) -> bool:
        """Whether there is any, from wherever."""
        return self.in_body or self.copy_from is not None or self.location is not None


class DataReader:
    """Finds out what a request brings, and gives it to its image."""

    def __init__(self, legacy: LegacyImages, settings: Settings) -> None:
        self._legacy = legacy
        self._settings = settings

    def read(self, request: Request[Caller], headers: Headers) -> Data:
        """What the request brings. Raises `Invalid` for what can't be taken, before anything is made of it."""
        in_body = _has_body(request)
        copy_from = request.header("x-glance-api-copy-from") or None
        location = headers.text("location")
        if sum((in_body, copy_from is not None, location is not None)) > 1:
            raise Invalid("It's invalid to provide multiple image sources.")
        for address in (copy_from, location):
            if address is not None:
                if not address.lower().startswith(_SCHEMES):
                    raise Invalid(f"External sources are not supported: '{address}'")
                self._legacy.filling.check_uri(address)
        size = headers.size if headers.size is not None else (request.content_length if in_body else None)
        if (size or 0) > self._settings.image_size_cap:
            raise Invalid(f"Denying attempt to upload image larger than {self._settings.image_size_cap} bytes.")
        return Data(in_body, copy_from, location, size, headers.checksum, self._store(headers))

    def _store(self, headers: Headers) -> str | None:
        """The store that the data is to go to; the kind of a store is as good a name as its id."""
        named = headers.text("store")
        stores = self._legacy.images.stores
        if named is None:
            return None
        if stores.several and named in stores:
            return named
        if any(named in (store.type, "file", "filesystem") for store in stores if not store.read_only):
            return None
        raise Invalid(f"Required store {named} is invalid")

    def give(self, request: Request[Caller], image: ImageRecord, data: Data) -> None:
        """Give a queued image its data, or set that going."""
        check_formats(image)
        filling = self._legacy.filling
        if data.location is not None:
            filling.register(request.caller, image, data.location, data.size)
        elif data.copy_from is not None:
            filling.begin_copy(
                request.caller,
                image,
                data.copy_from,
                size=data.size,
                checksum=data.checksum,
                store_id=data.store_id,
            )
        else:
            self._upload(request, image, data)

    def _upload(self, request: Request[Caller], image: ImageRecord, data: Data) -> None:
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        if kind != _OCTETS:
            self._legacy.filling.kill(image.id)
            raise Invalid(f"Content-Type must be {_OCTETS}")
        try:
            self._legacy.filling.upload(
                request.caller,
                image.id,
                request.source,
                size=data.size,
                checksum=data.checksum,
                store_id=data.store_id,
            )
        except Invalid as error:
            raise Invalid(f"{error} Setting image status to 'killed'.") from error


def _has_body(request: Request[Caller]) -> bool:
    """Whether data comes with the request: a length above zero, or chunks, be they empty."""
    if request.content_length is not None:
        return request.content_length > 0
    chunked = "chunked" in (request.header("transfer-encoding") or "").lower()
    return chunked or bool(request.environ.get("appliance.streamed_body"))

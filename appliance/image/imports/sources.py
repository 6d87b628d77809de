"""Where an import's bytes come from: the staging area, the web, another Glance, or a store that has them already."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from appliance.db.image.images import ImageRecord
from appliance.errors import Conflict, Unavailable
from appliance.image.stores import Stores
from appliance.image.web.source import Fetcher
from appliance.values import Source

# What is taken over of another Glance's image, besides its formats.
_TAKEN_OVER = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")


@dataclass(frozen=True, slots=True)
class Offer:
    """Bytes that wait to be read."""

    source: Source
    size: int | None
    content: tuple[str, int] | None = None
    """The store and content that they are, if they are ours."""
    changes: tuple[dict[str, Any], dict[str, str | None]] | None = None
    """Columns and properties that the image takes over from where it comes."""


class SourceFinder:
    """Opens the source of an import. Each is a context, closed when its bytes are in."""

    def __init__(self, stores: Stores, fetcher: Fetcher) -> None:
        self._stores = stores
        self._fetcher = fetcher

    @contextmanager
    def staged(self, image: ImageRecord) -> Iterator[Offer]:
        """What `PUT /stage` left."""
        if image.staged_store is None or image.staged_content is None:
            raise Conflict(f"Image {image.id} has no staged data.")
        with self._content(image.staged_store, image.staged_content) as offer:
            yield offer

    @contextmanager
    def stored(self, image: ImageRecord) -> Iterator[Offer]:
        """What one of our own stores has of the image already, or else the URL that it is at."""
        for location in image.locations:
            store = self._stores.find(location.store)
            if location.content_id is not None and store is not None and not store.read_only:
                with self._content(store.id, location.content_id) as offer:
                    yield offer
                return
        url = next((location.url for location in image.locations if location.url is not None), None)
        if url is None:
            raise Conflict(f"Image {image.id} has no data that could be copied.")
        with self.web(url) as offer:
            yield offer

    @contextmanager
    def _content(self, store_id: str, content_id: int) -> Iterator[Offer]:
        store = self._stores.find(store_id)
        if store is None:
            raise Unavailable(f"Store {store_id} is not configured any more.")
        content = store.writer.open_content(content_id)
        try:
            yield Offer(content, content.length, (store_id, content_id))
        finally:
            content.close()

    @contextmanager
    def web(self, uri: str) -> Iterator[Offer]:
        """A resource of the web."""
        with self._fetcher.get(uri) as source:
            yield Offer(source, source.size)

    @contextmanager
    def other_glance(self, address: str, token: str) -> Iterator[Offer]:
        """An image of the Glance that the catalog has for another region, read with the caller's own token."""
        if not address:
            raise Unavailable("The catalog has no image service for that region and interface.")
        headers = {"X-Auth-Token": token}
        # The operator's own catalog says where it is, so the filter for users' addresses does not apply to it.
        fetcher = self._fetcher.trusting(address)
        with fetcher.get(address, headers) as answer:
            remote = _document(answer.read_small())
        if remote.get("status") != "active":
            raise Conflict(f"The other image is {remote.get('status')}, not active.")
        with fetcher.get(f"{address}/file", headers) as source:
            yield Offer(source, source.size, changes=_taken_over(remote))


def _document(raw: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unavailable("The other Glance gave an answer that is not JSON.") from error
    if not isinstance(document, dict):
        raise Unavailable("The other Glance gave an answer that is no image.")
    return document


def _taken_over(remote: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str | None]]:
    columns = {name: remote[name] for name in ("disk_format", "container_format") if isinstance(remote.get(name), str)}
    properties: dict[str, str | None] = {
        name: value for name, value in remote.items() if name.startswith(_TAKEN_OVER) and isinstance(value, str)
    }
    return columns, properties

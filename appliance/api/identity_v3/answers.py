"""Answers: members and collections with their links, in Keystone's form."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from appliance.api.addresses import AddressBook
from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3.listing import Listing
from appliance.db.records import Record
from appliance.identity.catalog import Addresses

NO_CONTENT = 204


def done() -> Reply:
    """The answer to a delete, a check or a grant: 204."""
    return Reply(NO_CONTENT)


class Answers:
    """Puts records into answers. Paths are below `/v3`."""

    def __init__(self, addresses: AddressBook) -> None:
        self._addresses = addresses

    def url(self, request: Request[Any], path: str = "") -> str:
        """The full address of a path below `/v3`."""
        return "/".join(part for part in (f"{self._addresses.identity(request)}/v3", path.strip("/")) if part)

    def addresses(self, request: Request[Any]) -> Addresses:
        return self._addresses.both(request)

    def member(self, request: Request[Any], key: str, path: str, record: Record, status: int = 200) -> Reply:
        """`{key: record}`; `path` is that of the record's collection."""
        return Reply(status, {key: self.linked(request, path, record)})

    def collection(
        self,
        request: Request[Any],
        key: str,
        records: Iterable[Record],
        listing: Listing | None = None,
        path: str | None = None,
        **more: Any,
    ) -> Reply:
        """`{key: [records], "links": …}`, cut to the page that `listing` asks for.

        `path` is that of the records' own collection if it is another than `key`.
        """
        shown = list(records)
        truncated = listing is not None and listing.limit is not None and len(shown) > listing.limit
        if truncated and listing is not None:
            shown = shown[: listing.limit]
        own = path if path is not None else key
        body: dict[str, Any] = {key: [self.linked(request, own, record) for record in shown], **more}
        body["links"] = {"next": None, "self": self.self_url(request), "previous": None}
        if truncated:
            body["truncated"] = True
            if shown:
                body["links"]["next"] = self._next(request, shown[-1]["id"], len(shown))
        return Reply(200, body)

    def linked(self, request: Request[Any], path: str, record: Record) -> Record:
        """The record with `links.self`, without what is for our own use."""
        links = {**record.get("links", {}), "self": self.url(request, f"{path}/{record['id']}")}
        return {**record, "links": links}

    def self_url(self, request: Request[Any]) -> str:
        """The address of the request itself, query included."""
        url = self.url(request, request.path.removeprefix("/v3"))
        query = request.environ.get("QUERY_STRING", "")
        return f"{url}?{query}" if query else url

    def _next(self, request: Request[Any], marker: str, limit: int) -> str:
        query = {**dict(request.query), "marker": marker, "limit": str(limit)}
        return f"{self.url(request, request.path.removeprefix('/v3'))}?{urlencode(query)}"

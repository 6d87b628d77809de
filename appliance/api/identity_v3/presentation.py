"""How resources look to clients: members and collections with their links, filters and limits."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from appliance.api.http.addresses import AddressBook
from appliance.api.http.messages import Request, Response
from appliance.db.identity.catalog import Endpoint
from appliance.db.identity.projects import Project
from appliance.db.records import COMPARATORS, Filter, Page, Record, attributes, check_number
from appliance.errors import Invalid
from appliance.identity.catalog.catalog import Addresses, own_url
from appliance.settings import Settings


def shown_project(project: Project) -> Record:
    return {**attributes(project), "tags": list(project.tags)}


def shown_domain(domain: Project) -> Record:
    """A domain hides that it is a project."""
    hidden = ("domain_id", "parent_id", "is_domain")
    return {name: value for name, value in shown_project(domain).items() if name not in hidden}


def shown_endpoint(endpoint: Endpoint, addresses: Addresses) -> Record:
    """`region` is the former name of `region_id`, still read by clients."""
    return {**attributes(endpoint), "region": endpoint.region_id, "url": own_url(endpoint.url, addresses)}


_NOT_ASKED = "0"
_FALSE = ("0", "f", "false", "off", "n", "no")
_INEXACT = frozenset(name for name in COMPARATORS if name.removeprefix("i") in ("contains", "startswith", "endswith"))


@dataclass(frozen=True, slots=True)
class Listing:
    """Filters on columns and the part that is wanted. `page` asks for one more, to see whether there is more."""

    filters: tuple[Filter, ...]
    limit: int | None
    marker: str | None

    @property
    def page(self) -> Page:
        return Page(None if self.limit is None else self.limit + 1, self.marker)

    def narrowed(self, attribute: str, value: Any) -> "Listing":
        """The same with one more condition."""
        return self.also([Filter(attribute, value)])

    def also(self, filters: Iterable[Filter]) -> "Listing":
        """The same with more conditions."""
        return replace(self, filters=(*self.filters, *filters))

    def value(self, attribute: str) -> Any:
        """What the exact filter on an attribute asks for; None without one."""
        return next((f.value for f in self.filters if f.attribute == attribute and f.comparator == "equals"), None)


class QueryParser:
    """Reads queries the way the settings page lists."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.identity_list_limit
        self._most = settings.max_db_limit

    def read(
        self,
        request: Request[Any],
        exact: Collection[str],
        switches: Collection[str] = (),
        *,
        none_is_all: bool = False,
    ) -> Listing:
        """The query's filters on the attributes `exact` (text) and `switches` (on or off). Others are ignored.

        With `none_is_all`, a limit of 0 is as good as none: so Keystone lists projects and domains.
        """
        filters = [found for key, value in request.query if (found := _filter(key, value, exact, switches))]
        check_number(len(filters))
        return Listing(tuple(filters), self._limit(request, none_is_all), request.arg("marker") or None)

    def _limit(self, request: Request[Any], none_is_all: bool) -> int | None:
        try:
            limit = int(request.arg("limit") or self._default)
        except ValueError:
            limit = -1
        if limit < 0:
            raise Invalid("limit must be a whole number that is not negative.")
        unlimited = not request.arg("limit") or none_is_all
        return None if unlimited and limit == 0 else min(limit, self._most)


def switch(text: str) -> bool:
    """On or off, as Keystone reads query values: everything but a clear no is a yes."""
    return text.strip().lower() not in _FALSE


def asked(request: Request[Any], name: str) -> bool:
    """Whether the query asks for something: a bare parameter is a yes; so is every value but 0, `false` too."""
    return request.arg(name, _NOT_ASKED) != _NOT_ASKED


def _filter(key: str, value: str, exact: Collection[str], switches: Collection[str]) -> Filter | None:
    if key in switches:
        return Filter(key, int(switch(value)))
    if key in exact:
        return Filter(key, value)
    attribute, _, comparator = key.partition("__")
    if attribute in exact and comparator in _INEXACT:
        return Filter(attribute, value, comparator)
    return None


NO_CONTENT = 204


def done() -> Response:
    """The answer to a delete, a check or a grant: 204."""
    return Response(NO_CONTENT)


class Presenter:
    """Puts records into answers. Paths are below `/v3`."""

    def __init__(self, addresses: AddressBook) -> None:
        self._addresses = addresses

    def url(self, request: Request[Any], path: str = "") -> str:
        """The full address of a path below `/v3`."""
        return "/".join(part for part in (f"{self._addresses.identity(request)}/v3", path.strip("/")) if part)

    def addresses(self, request: Request[Any]) -> Addresses:
        return self._addresses.both(request)

    def member(self, request: Request[Any], key: str, path: str, record: Record, status: int = 200) -> Response:
        """`{key: record}`; `path` is that of the record's collection."""
        return Response(status, {key: self.linked(request, path, record)})

    def collection(
        self,
        request: Request[Any],
        key: str,
        records: Iterable[Record],
        listing: Listing | None = None,
        path: str | None = None,
        **more: Any,
    ) -> Response:
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
        return Response(200, body)

    def endpoints(self, request: Request[Any], endpoints: Iterable[Endpoint]) -> Response:
        """Endpoints with the addresses that the client can use."""
        addresses = self.addresses(request)
        return self.collection(request, "endpoints", [shown_endpoint(one, addresses) for one in endpoints])

    def linked(self, request: Request[Any], path: str, record: Record) -> Record:
        """The record with `links.self`, without what is for our own use."""
        given = record.get("links")  # An attribute of this name that a client invented is kept as far as it can be.
        links = {**(given if isinstance(given, Mapping) else {}), "self": self.url(request, f"{path}/{record['id']}")}
        return {**record, "links": links}

    def self_url(self, request: Request[Any]) -> str:
        """The address of the request itself, query included."""
        url = self.url(request, request.path.removeprefix("/v3"))
        query = request.environ.get("QUERY_STRING", "")
        return f"{url}?{query}" if query else url

    def _next(self, request: Request[Any], marker: str, limit: int) -> str:
        query = {**dict(request.query), "marker": marker, "limit": str(limit)}
        return f"{self.url(request, request.path.removeprefix('/v3'))}?{urlencode(query)}"

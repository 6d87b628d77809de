"""What a list's query asks for: filters, exact and inexact, and a page."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from appliance.api.exchange import Request
from appliance.db.records import COMPARATORS, Filter, Page, check_number
from appliance.errors import Invalid
from appliance.settings import Settings

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
        return replace(self, filters=(*self.filters, Filter(attribute, value)))

    def value(self, attribute: str) -> Any:
        """What the exact filter on an attribute asks for; None without one."""
        return next((f.value for f in self.filters if f.attribute == attribute and f.comparator == "equals"), None)


class Lists:
    """Reads queries the way the settings page lists."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.identity_list_limit
        self._most = settings.max_db_limit

    def read(self, request: Request[Any], exact: Collection[str], switches: Collection[str] = ()) -> Listing:
        """The query's filters on the attributes `exact` (text) and `switches` (on or off). Others are ignored."""
        filters = [found for key, value in request.query if (found := _filter(key, value, exact, switches))]
        check_number(len(filters))
        return Listing(tuple(filters), self._limit(request), request.arg("marker") or None)

    def _limit(self, request: Request[Any]) -> int | None:
        text = request.arg("limit")
        if not text:
            return min(self._default, self._most) if self._default else None
        try:
            limit = int(text)
        except ValueError:
            limit = -1
        if limit < 0:
            raise Invalid("limit must be a whole number that is not negative.")
        return min(limit, self._most)


def switch(text: str) -> bool:
    """On or off, as Keystone reads query values: everything but a clear no is a yes."""
    return text.strip().lower() not in _FALSE


def asked(request: Request[Any], name: str) -> bool:
    """Whether the query asks for something: a bare parameter is a yes; so is every value but a clear no."""
    value = request.arg(name)
    return value is not None and switch(value)


def _filter(key: str, value: str, exact: Collection[str], switches: Collection[str]) -> Filter | None:
    if key in switches:
        return Filter(key, int(switch(value)))
    if key in exact:
        return Filter(key, value)
    attribute, _, comparator = key.partition("__")
    if attribute in exact and comparator in _INEXACT:
        return Filter(attribute, value, comparator)
    return None

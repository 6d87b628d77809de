"""Lists as Image API v1 has them: filters of its own, one sort key, and deleted images for those who ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.db.image.images import ImageRecord
from appliance.db.image.legacy import OldRows
from appliance.db.image.pages import SORT_KEYS, Condition, PageQuery, Way, complete_sort, page
from appliance.errors import Invalid, LimitExceeded, NotFound
from appliance.image.context import ImageContext, ImageFinder
from appliance.image.listing import PAGE_BYTES, Parameters, check_filters, page_limit
from appliance.image.protections import Protections
from appliance.image.rules import ways_to_list
from appliance.values import Caller, Micros, is_uuid, parse_time, whole_number

_TEXTS = ("name", "status", "container_format", "disk_format")
_SIZES = {"size_min": "gte", "size_max": "lte"}
_SORT_KEYS = tuple(key for key in SORT_KEYS if key != "virtual_size")
_LARGEST = 2**63 - 1
_PROPERTY = "property-"
_LIST_BYTES = 4 * PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Listed:
    """An image of a list; `deleted_at` if it is no more."""

    image: ImageRecord
    deleted_at: Micros | None = None


@dataclass(slots=True)
class _Wanted:
    """What a query asks for."""

    query: PageQuery
    live: bool = True
    deleted: bool = False
    since: Micros = 0
    direction: str = "desc"
    conditions: list[Condition] = field(default_factory=list)


class OldListing:
    """Pages of images."""

    def __init__(self, context: ImageContext, finder: ImageFinder, protections: Protections) -> None:
        self._db = context.db
        self._protections = protections
        self._rows = OldRows(context.db)
        self._images = context.rows
        self._settings = context.settings
        self._policies = context.policies
        self._finder = finder

    def page(self, caller: Caller, parameters: Parameters) -> list[Listed]:
        """A page of what the caller may see. Raises `Invalid` for a query that makes no sense."""
        wanted = self._read(caller, dict(parameters))
        self._policies.enforce_list(caller)
        marker = dict(parameters).get("marker")
        if marker:
            wanted.query.marker = self._marker(caller, marker)
        if not self._protections.readable(caller, wanted.query.property_names):
            return []
        found: list[Listed] = []
        if wanted.live:
            live = page(self._db, wanted.query, _LIST_BYTES)
            if live.cut:
                # A page that ends early is the last one to clients of this API.
                raise LimitExceeded("The images of this page are too large together; ask for fewer with limit.")
            found = [Listed(image) for image in live.images if self._sees(caller, image)]
        if wanted.deleted:
            found = self._merged(found, self._deleted(caller, wanted), wanted)
        for one in found:
            self._protections.hide(caller, one.image)
        return found

    def _sees(self, caller: Caller, image: ImageRecord) -> bool:
        return not self._policies.hides_listed() or self._policies.allows(caller, "get_image", image)

    def deleted(self, caller: Caller, image_id: str) -> Listed:
        """A deleted image, for admins. Raises `NotFound`."""
        known = self._images.deleted(image_id) if caller.is_admin else None
        if known is None:
            raise NotFound(f"Image {image_id} not found")
        gone = Listed(known.shown(), known.deleted_at)
        self._protections.hide(caller, gone.image)
        return gone

    # -- the query -------------------------------------------------------------------------------------------------

    def _read(self, caller: Caller, given: dict[str, str]) -> _Wanted:
        key, direction = given.get("sort_key", "created_at"), given.get("sort_dir", "desc")
        if key not in _SORT_KEYS:
            raise Invalid(f"Unsupported sort_key. Acceptable values: {', '.join(_SORT_KEYS)}")
        if direction not in ("asc", "desc"):
            raise Invalid("Unsupported sort_dir. Acceptable values: asc, desc")
        settings = self._settings
        query = PageQuery(
            project=caller.project_id,
            ways=ways_to_list(caller, None, everything=False),
            limit=page_limit(given.get("limit"), settings.limit_param_default, settings.api_limit_max),
            member_status="all",
            sort=complete_sort([(key, direction)], direction),
        )
        query.conditions = _conditions(given)
        query.properties = [
            (name.removeprefix(_PROPERTY), value) for name, value in given.items() if name.startswith(_PROPERTY)
        ]
        check_filters(query)
        if caller.is_admin:
            _widen(query, given.get("is_public"))
        elif "is_public" in given:
            _truth("is_public", given["is_public"], none=True)
        wanted = _Wanted(query, direction=direction, conditions=query.conditions)
        since = given.get("changes-since")
        if since is not None:
            wanted.since = _time(since)
            query.conditions.append(Condition("updated_at", "gte", wanted.since))
            wanted.deleted = True
        if caller.is_admin and "deleted" in given:
            deleted = _truth("deleted", given["deleted"], none=True)
            wanted.live, wanted.deleted = deleted is not True, deleted is not False
        return wanted

    def _marker(self, caller: Caller, image_id: str) -> ImageRecord:
        if not is_uuid(image_id):
            raise Invalid("Invalid marker format")
        try:
            return self._finder.marker(caller, image_id)
        except NotFound as error:
            raise Invalid("Invalid marker. Image could not be found.") from error

    # -- deleted images --------------------------------------------------------------------------------------------

    def _deleted(self, caller: Caller, wanted: _Wanted) -> list[Listed]:
        """Those deleted images that the query asks for and the caller could see."""
        found = [Listed(each.shown(), each.deleted_at) for each in self._rows.deleted_records(wanted.since)]
        query = wanted.query
        return [
            one
            for one in found
            if (Way.EVERY in query.ways or one.image.visibility == "public" or _owns(caller, one.image))
            and all(_meets(one.image, condition) for condition in wanted.conditions)
            and all(one.image.properties.get(name) == value for name, value in query.properties)
        ]

    def _merged(self, live: Sequence[Listed], deleted: Sequence[Listed], wanted: _Wanted) -> list[Listed]:
        """Both in the order of the query, from its marker on, up to its limit."""
        order = _order(wanted.query)
        marker = wanted.query.marker
        if marker is not None:
            after = order(marker)
            if wanted.direction == "desc":
                deleted = [one for one in deleted if order(one.image) < after]
            else:
                deleted = [one for one in deleted if order(one.image) > after]
        everything = sorted([*live, *deleted], key=lambda one: order(one.image), reverse=wanted.direction == "desc")
        return everything[: wanted.query.limit]


def _owns(caller: Caller, image: ImageRecord) -> bool:
    return caller.project_id is not None and caller.project_id == image.owner


def _order(query: PageQuery) -> Callable[[ImageRecord], tuple[Any, ...]]:
    """Where an image is in the sort of a query, nulls as the rows have them."""

    def place(image: ImageRecord) -> tuple[Any, ...]:
        return tuple(getattr(image, key) or (0 if key == "size" else "") for key, _ in query.sort)

    return place


def _meets(image: ImageRecord, condition: Condition) -> bool:
    value = getattr(image, condition.column)
    if condition.operator == "eq":
        return bool(value == condition.value)
    if condition.operator == "neq":
        return bool(value != condition.value)
    if value is None:
        return False
    return bool(value >= condition.value if condition.operator == "gte" else value <= condition.value)


def _widen(query: PageQuery, is_public: str | None) -> None:
    """What an admin asks to see beyond what any user of the project sees."""
    wanted = True if is_public is None else _truth("is_public", is_public, none=True)
    if wanted is True:
        return
    query.ways = (Way.EVERY,)
    if wanted is False:
        query.conditions.append(Condition("visibility", "neq", "public"))


def _conditions(given: dict[str, str]) -> list[Condition]:
    found = [Condition(name, "eq", given[name]) for name in _TEXTS if name in given]
    for name, operator in _SIZES.items():
        if name in given:
            found.append(Condition("size", operator, _number(name, given[name])))
    for name in ("min_ram", "min_disk"):
        if name in given:
            found.append(Condition(name, "eq", _number(name, given[name])))
    if "protected" in given:
        found.append(Condition("protected", "eq", int(bool(_truth("protected", given["protected"])))))
    return found


def _number(name: str, text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise Invalid(f"Bad value passed to filter {name} got {text}")
    return min(number, _LARGEST)


def _truth(name: str, text: str, *, none: bool = False) -> bool | None:
    """True, False, or None where that is an answer."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if none and text.lower() == "none":
        return None
    if text.lower() not in known:
        raise Invalid(f"{name} must be {'None, ' if none else ''}True, or False")
    return known[text.lower()]


def _time(text: str) -> Micros:
    # The + of a zone arrives as a space if it was not encoded.
    try:
        return parse_time(text.replace(" ", "+") if "T" in text else text)
    except (ValueError, OverflowError) as error:
        raise Invalid("Unrecognized changes-since value") from error

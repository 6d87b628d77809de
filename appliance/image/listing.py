"""What a client may ask of a list: filters with their operators, sort keys, page size. Text in, `PageQuery` out."""

import re
from collections.abc import Sequence

from appliance.db.image.pages import FILTER_COLUMNS, SORT_KEYS, Condition, PageQuery, complete_sort
from appliance.errors import Invalid
from appliance.image.rules import VISIBILITIES, ways_to_list
from appliance.settings import Settings
from appliance.values import MIB, Caller, parse_time

Parameters = Sequence[tuple[str, str]]

MEMBER_STATUSES = ("pending", "accepted", "rejected", "all")

_SET_OPERATORS = frozenset({"name", "id", "status", "container_format", "disk_format"})
_TIMES = frozenset({"created_at", "updated_at"})
_NUMBERS = frozenset({"size", "virtual_size", "min_disk", "min_ram"})
_TIME_OPERATORS = frozenset({"gt", "gte", "lt", "lte", "eq", "neq"})
_NOT_FILTERS = frozenset(
    {"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "tag", "visibility", "os_hidden", "deleted"}
)
"""Parameters with a meaning of their own; `deleted` is taken and ignored, as the original does."""
_LARGEST = 2**63 - 1
_WHOLE = re.compile(r" *[+-]?[0-9]{1,30} *")

PAGE_BYTES = 4 * MIB
"""A page ends early when its images would take more than this in an answer."""
_MOST_FILTERS = 60
"""As many as the joins that MySQL leaves the original."""
_MOST_VALUES = 1000


def page_query(caller: Caller, parameters: Parameters, settings: Settings) -> PageQuery:
    """Read a list's query. The marker is left for whoever can look it up. Raises `Invalid`."""
    last = dict(parameters)
    limit = _limit(last.get("limit"), settings)
    visibility = _one_of(last.get("visibility"), (*VISIBILITIES, "all", ""), "visibility value")
    query = PageQuery(
        project=caller.project_id,
        ways=ways_to_list(caller, visibility, everything=caller.is_admin),
        limit=limit,
        visibility=None if visibility == "all" else visibility,
        member_status=_one_of(last.get("member_status", "accepted"), MEMBER_STATUSES, "status") or "accepted",
        os_hidden=_truth(last.get("os_hidden", "false").lower(), "os_hidden"),
        tags=list(dict.fromkeys(value.strip() for name, value in parameters if name == "tag")),
        sort=sort_of(parameters),
    )
    if last.get("changes-since"):
        raise Invalid('The "changes-since" filter is no longer available on v2.')
    for name, value in last.items():
        if name not in _NOT_FILTERS:
            _add_filter(query, name, value)
    check_filters(query)
    return query


def check_filters(query: PageQuery) -> None:
    """Raise `Invalid` for more filters, or values of one, than a statement should have."""
    if len(query.conditions) + len(query.properties) + len(query.tags) > _MOST_FILTERS:
        raise Invalid(f"Too many filters: a list takes at most {_MOST_FILTERS}.")
    for condition in query.conditions:
        if condition.operator == "in" and len(condition.value) > _MOST_VALUES:
            raise Invalid(f"Too many values for the filter {condition.column}: it takes at most {_MOST_VALUES}.")


def _one_of(value: str | None, known: tuple[str, ...], what: str) -> str | None:
    if value is not None and value not in known:
        raise Invalid(f"Invalid {what}: {value}")
    return value


def _truth(text: str, name: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid(f"Invalid value '{text}' for '{name}' filter. Valid values are 'true' or 'false'.")
    return text == "true"


def page_limit(text: str | None, default: int, most: int) -> int:
    """A page's size as a client asked for it."""
    if text is None:
        return min(default, most)
    try:
        limit = int(text)
    except ValueError:
        raise Invalid("limit param must be an integer") from None
    if limit < 0:
        raise Invalid("limit param must be positive")
    return min(limit, most)


def _limit(text: str | None, settings: Settings) -> int:
    return page_limit(text, settings.limit_param_default, settings.api_limit_max)


def sort_of(parameters: Parameters) -> list[tuple[str, str]]:
    """The whole sort, asked for in either of its two notations; newest first if there is none.

    What breaks ties runs in the direction given if that is a single one, else downwards.
    """
    keys = [value.strip() for name, value in parameters if name == "sort_key"]
    directions = [value.strip() for name, value in parameters if name == "sort_dir"]
    combined = [value for name, value in parameters if name == "sort"]
    if combined:
        if keys or directions:
            raise Invalid("Old and new sorting syntax cannot be combined")
        parts = [part.partition(":") for part in combined[-1].strip().split(",")]
        keys = [key.strip() for key, _, _ in parts]
        directions = [direction.strip() or "desc" for _, _, direction in parts]
    if len(directions) > 1 and len(directions) != len(keys):
        raise Invalid("Number of sort dirs does not match the number of sort keys")
    for key in keys:
        if key not in SORT_KEYS:
            raise Invalid(f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}.")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise Invalid(f"Invalid sort direction: {direction}")
    keys, directions = keys or ["created_at"], directions or ["desc"]
    ties = directions[0] if len(directions) == 1 else "desc"
    if len(directions) < len(keys):
        directions *= len(keys)
    first = {key: direction for key, direction in zip(reversed(keys), reversed(directions), strict=True)}
    return complete_sort([(key, first[key]) for key in dict.fromkeys(keys)], ties)


def _add_filter(query: PageQuery, name: str, value: str) -> None:
    base = name.removesuffix("_min").removesuffix("_max")
    if base != name and base in FILTER_COLUMNS:
        query.conditions.append(_bound(base, name, value))
    elif name in _TIMES:
        query.conditions.append(_time(name, value))
    elif name in _SET_OPERATORS:
        query.conditions.append(_set(name, value))
    elif name == "protected":
        query.conditions.append(Condition(name, "eq", int(_truth(value, name))))
    elif name in _NUMBERS:
        query.conditions.append(_number(name, value))
    elif name in FILTER_COLUMNS:
        query.conditions.append(Condition(name, "eq", value))
    else:
        query.properties.append((name, value))


def _bound(column: str, name: str, value: str) -> Condition:
    try:
        number = int(value)
    except ValueError:
        raise Invalid("Unable to filter on a range with a non-numeric value.") from None
    if column not in _NUMBERS:
        raise Invalid(f"Unable to filter on a range of {column}.")
    number = max(-_LARGEST, min(_LARGEST, number))
    return Condition(column, "gte" if name.endswith("_min") else "lte", number)


def _number(column: str, text: str) -> Condition:
    """Equal to a number; what is none, or too large for any image, finds nothing."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    if number is None or abs(number) > _LARGEST:
        return Condition(column, "in", [])
    return Condition(column, "eq", number)


def _split_operator(text: str) -> tuple[str, str]:
    """`gt:2026-…` → (gt, 2026-…); a bare time has colons of its own."""
    if ":" not in text or _is_time(text):
        return "eq", text
    operator, _, value = text.partition(":")
    return operator, value


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except (ValueError, OverflowError):
        return False
    return True


def _time(name: str, value: str) -> Condition:
    operator, text = _split_operator(value)
    # A `+` of a zone arrives as a space if it was not encoded.
    text = text.replace(" ", "+") if re.search(r" \d\d:?\d\d$", text) and "T" in text else text
    if not _is_time(text):
        raise Invalid(f'Bad "{name}" query filter format. Use ISO 8601 DateTime notation.')
    if operator not in _TIME_OPERATORS:
        raise Invalid(f"Filter operator {operator} is not a valid comparison operator.")
    return Condition(name, operator, parse_time(text))


def _set(name: str, value: str) -> Condition:
    operator, text = _split_operator(value)
    if operator == "eq":
        return Condition(name, "eq", text)
    if operator == "in":
        return Condition(name, "in", split_quoted(text))
    raise Invalid(f"Unable to filter by unknown operator '{operator}'.")


_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?:,|$)|([^",]*)(?:,|$)', re.DOTALL)


def split_quoted(text: str) -> list[str]:
    """`a,"b,c",,d` → a; b,c; nothing; d. Raises `Invalid` for a quotation mark in the wrong place."""
    found: list[str] = []
    at = 0
    # One too many is enough to refuse them all.
    while at < len(text) and len(found) <= _MOST_VALUES:
        match = _QUOTED.match(text, at)
        if match is None:
            raise Invalid(f"Invalid filter value {text}. Its quotation marks do not pair up around whole values.")
        if match[1] is not None:
            found.append(re.sub(r"\\(.)", r"\1", match[1]))
        else:
            found.append(match[2])
        at = match.end()
    return found

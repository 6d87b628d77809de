"""Access rules: what a token of an application credential may be used for."""

import re
from collections.abc import Iterable
from functools import lru_cache

from appliance.db.records import Record


def permit(rules: Iterable[Record], service: str, method: str, path: str) -> bool:
    """Whether one of the rules is for this service and method and matches the path."""
    return any(
        rule["service"] == service and rule["method"] == method and _pattern(rule["path"]).fullmatch(path)
        for rule in rules
    )


@lru_cache(maxsize=1024)
def _pattern(path: str) -> re.Pattern[str]:
    """`*` and `{name}` stand for one part of a path, `**` for any number of them."""
    pieces = re.split(r"(\*\*|\*|\{[^/{}]*\})", path)
    wild = {"**": ".*", "*": "[^/]+"}
    return re.compile(
        "".join(wild.get(p, "[^/]+") if i % 2 else re.escape(p) for i, p in enumerate(pieces)), flags=re.DOTALL
    )

"""Access rules: what a token of an application credential may be used for.

A rule's path is written by a client and matched against paths of other clients, so matching takes time in proportion to
the path, whatever the rule says: all the ways in which the rule could go on are followed at once, as bits of a number.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from appliance.db.records import Record

LONGEST_PATH = 128
"""Characters of a rule's path, as many as Keystone stores."""

_WILD = re.compile(r"(\*\*|\*|\{[^/{}]*\})")


def permit(rules: Iterable[Record], service: str, method: str, path: str) -> bool:
    """Whether one of the rules is for this service and method and matches the path."""
    return any(
        rule["service"] == service and rule["method"] == method and _pattern(rule["path"]).matches(path)
        for rule in rules
    )


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A path with wildcards as a row of steps, one bit each; the bit after the last step is the end.

    A step takes one character and goes on, or takes any number of them and stays.
    """

    characters: dict[str, int]
    """The steps that take just this character."""
    within: int
    """Those that take one character that is no slash."""
    stay_within: int
    """Those that take any number of characters that are no slash."""
    stay: int
    """Those that take any number of characters."""
    end: int

    def matches(self, path: str) -> bool:
        at = self._onward(1)
        for character in path:
            within = 0 if character == "/" else -1
            taken = at & (self.characters.get(character, 0) | self.within & within)
            stayed = at & (self.stay | self.stay_within & within)
            at = self._onward(taken << 1 | stayed)
            if not at:
                return False
        return bool(at & self.end)

    def _onward(self, at: int) -> int:
        """With the steps that begin where one may take nothing. No two of these are neighbours."""
        return at | (at & (self.stay | self.stay_within)) << 1


@lru_cache(maxsize=1024)
def _pattern(path: str) -> _Pattern:
    """`*` and `{name}` stand for one part of a path, `**` for any number of them."""
    characters: dict[str, int] = {}
    within = stay_within = stay = 0
    bit = 1
    for index, piece in enumerate(_WILD.split(path)):
        if index % 2 == 0:
            for character in piece:
                characters[character] = characters.get(character, 0) | bit
                bit <<= 1
        elif piece == "**":
            before = bit >> 1
            if stay_within & before:
                # Whatever follows takes more than the rest of a part.
                stay_within ^= before
                stay |= before
            elif not stay & before:
                stay |= bit
                bit <<= 1
        else:
            within |= bit
            stay_within |= bit << 1
            bit <<= 2
    return _Pattern(characters, within, stay_within, stay, bit)

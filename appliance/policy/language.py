"""The check language of OpenStack's policy files: rules read and made into functions.

A check is `kind:match`; `and`, `or`, `not` and parentheses join them, `@` is always true, `!` never, and nothing at all
is always true. `role:` asks for a role, `rule:` for another rule; any other kind is a credential of the caller's, or a
literal, which has to be equal to the match. `%(name)s` in a match stands for what the target has under that name.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

MISSING: Any = object()


class Target(Protocol):
    """What is known of the thing acted upon."""

    def get(self, name: str, default: Any = None, /) -> Any:
        """What a rule finds under a name, `default` if there is nothing of that name."""
        ...


Credentials = Mapping[str, Any]
"""What is known of the caller. `roles` is a set of names in lower case."""
Check = Callable[[Credentials, Target], bool]

_Fill = Callable[[Target, str | None], str | None]
"""The match with the target's values in it; the second argument for a value that is none, and None if one is missing.

None is equal to nothing: nobody is the owner of what has no owner.
"""

_PART = re.compile(r"""\s+|[()]|'[^'\s]*'|"[^"\s]*"|%\([^()]*\)s|[^\s()'"%]+|%""")
_HOLE = re.compile(r"%(?:\(([^()]*)\)s|(%))")
_NO_KINDS = ("http", "https", "field")


@dataclass(frozen=True, slots=True)
class Parsed:
    """One rule: its check, which asks other rules through the mapping that it was made with, and their names."""

    check: Check
    named: frozenset[str]


def parse(text: str, rules: Mapping[str, Check]) -> Parsed:
    """Read one rule. Raises `ValueError` that says what is wrong with it."""
    return _Parser(text, rules).whole()


def compiled(texts: Mapping[str, str]) -> dict[str, Check]:
    """A check for each rule. Raises `RuleError` for a text that is no rule, unknown names, and rules in a circle."""
    checks: dict[str, Check] = {}
    named: dict[str, frozenset[str]] = {}
    for name, text in texts.items():
        try:
            found = parse(text, checks)
        except ValueError as error:
            raise RuleError(name, str(error)) from error
        if unknown := found.named - texts.keys():
            raise RuleError(name, f"there is no rule {min(unknown)}")
        checks[name], named[name] = found.check, found.named
    try:
        TopologicalSorter(named).prepare()
    except CycleError as error:
        circle = error.args[1]
        message = f"it asks itself, through {', '.join(circle[1:])}"
        raise RuleError(circle[0], message, *circle[1:]) from error
    return checks


class RuleError(ValueError):
    """What is wrong with a rule; `names` are this one and what else is to do with it."""

    def __init__(self, name: str, message: str, *others: str) -> None:
        super().__init__(f"the rule {name}: {message}")
        self.names = (name, *others)


def _always(credentials: Credentials, target: Target) -> bool:
    return True


def _never(credentials: Credentials, target: Target) -> bool:
    return False


def _words(text: str) -> list[str]:
    """The parentheses and words of a rule. A text in quotation marks has no spaces, as in oslo.policy."""
    words: list[str] = []
    at, joined = 0, False
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise ValueError(f"a quotation mark is not closed before the next space: {text[at:].strip()}")
        part, at = match[0], match.end()
        if joined and not part.isspace() and part not in "()":
            words[-1] += part
        elif not part.isspace():
            words.append(part)
        joined = not part.isspace() and part not in "()"
    return words


class _Parser:
    """Reads a rule from left to right: `not` binds closest, then `and`, then `or`."""

    def __init__(self, text: str, rules: Mapping[str, Check]) -> None:
        self._words = _words(text)
        self._rules = rules
        self._named: set[str] = set()
        self._is_empty = not text

    def whole(self) -> Parsed:
        if self._is_empty:
            return Parsed(_always, frozenset())
        found = self._either()
        if self._words:
            raise ValueError(f"nothing is expected before {self._words[0]!r}")
        return Parsed(found, frozenset(self._named))

    def _next_is(self, word: str) -> bool:
        if self._words and self._words[0].lower() == word:
            del self._words[0]
            return True
        return False

    def _either(self) -> Check:
        found = self._all()
        while self._next_is("or"):
            found = _or(found, self._all())
        return found

    def _all(self) -> Check:
        found = self._one()
        while self._next_is("and"):
            found = _and(found, self._one())
        return found

    def _one(self) -> Check:
        if self._next_is("not"):
            negated = self._one()
            return lambda credentials, target: not negated(credentials, target)
        if self._next_is("("):
            inner = self._either()
            if not self._next_is(")"):
                raise ValueError("a parenthesis is not closed")
            return inner
        if not self._words or self._words[0].lower() in ("and", "or", ")"):
            raise ValueError("a check is missing" + (f" before {self._words[0]!r}" if self._words else " at the end"))
        return self._simple(self._words.pop(0))

    def _simple(self, word: str) -> Check:
        if word in ("@", "!"):
            return _always if word == "@" else _never
        kind, colon, match = word.partition(":")
        if not colon or not kind:
            raise ValueError(f"{word!r} is no check: it has no colon")
        if kind in _NO_KINDS:
            raise ValueError(f"checks of the kind {kind} are not supported")
        if kind == "rule":
            self._named.add(match)
            rules = self._rules
            return lambda credentials, target: rules[match](credentials, target)
        return _role(match) if kind == "role" else _equal(kind, match)


def _or(one: Check, other: Check) -> Check:
    return lambda credentials, target: one(credentials, target) or other(credentials, target)


def _and(one: Check, other: Check) -> Check:
    return lambda credentials, target: one(credentials, target) and other(credentials, target)


def _role(match: str) -> Check:
    fill = _filler(match)
    if fill is None:
        name = _plain(match).lower()
        return lambda credentials, target: name in credentials["roles"]
    return lambda credentials, target: (fill(target, None) or "").lower() in credentials["roles"]


def _equal(kind: str, match: str) -> Check:
    """The check that a credential, or a literal, is equal to the match."""
    fill, constant = _filler(match), _plain(match)
    try:
        literal = str(ast.literal_eval(kind))
    except (ValueError, SyntaxError):
        return _credential(kind.split("."), fill, constant)
    if fill is None:
        return _always if constant == literal else _never
    # What a target has no value for is asked for in this way: None:%(owner)s.
    return lambda credentials, target: fill(target, "None") == literal


def _credential(path: list[str], fill: _Fill | None, constant: str) -> Check:
    if fill is None:
        return lambda credentials, target: constant in _texts(_found(credentials, path), none="None")

    def check(credentials: Credentials, target: Target) -> bool:
        text = fill(target, None)
        if text is None:
            return False
        value = _found(credentials, path)
        return value == text if isinstance(value, str) else text in _texts(value)

    return check


def _plain(match: str) -> str:
    return match.replace("%%", "%")


def _filler(match: str) -> _Fill | None:
    """What fills a match; None if there is nothing to be filled. Raises `ValueError` for a stray percent sign."""
    if "%" in _HOLE.sub("", match):
        raise ValueError(f"{match!r}: a percent sign stands before (name)s, or is doubled")
    names = [found[1] for found in _HOLE.finditer(match) if found[1] is not None]
    if not names:
        return None
    if match == f"%({names[0]})s":
        return _whole(names[0])

    def fill(target: Target, none: str | None) -> str | None:
        values = {name: target.get(name, MISSING) for name in names}
        if MISSING in values.values() or (none is None and None in values.values()):
            return None
        return _HOLE.sub(lambda found: "%" if found[2] else str(values[found[1]]), match)

    return fill


def _whole(name: str) -> _Fill:
    """For a match that is nothing but `%(name)s`."""

    def fill(target: Target, none: str | None) -> str | None:
        value = target.get(name, MISSING)
        if value is None:
            return none
        return None if value is MISSING else str(value)

    return fill


def step(value: Any, name: str, default: Any = MISSING) -> Any:
    """What a mapping has under a name, or a record as its field."""
    if isinstance(value, Mapping):
        return value.get(name, default)
    return default if name.startswith("_") else getattr(value, name, default)


def _found(value: Any, path: list[str]) -> Any:
    """A credential by its path, through mappings, records and lists (each of their elements)."""
    for at, name in enumerate(path):
        if isinstance(value, list | tuple):
            return [one for each in value if (one := _found(each, path[at:])) is not MISSING]
        value = step(value, name)
        if value is MISSING:
            return MISSING
    return value


def _texts(value: Any, none: str | None = None) -> list[str | None]:
    """A credential as text, each of its elements if it has several; empty for one that there is not."""
    if value is MISSING:
        return []
    if value is None:
        return [none] if none is not None else []
    return [str(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else [str(value)]

"""The check language of OpenStack's policy files: read, named, and asked of a caller.

A check is `kind:match`; `and`, `or`, `not` and parentheses join them, `@` is always true, `!` never, and nothing at all
is always true. `role:` asks for a role, `rule:` for another rule; any other kind is a credential of the caller's, or a
literal, which has to be equal to the match. `%(name)s` in a match stands for what the target has under that name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from appliance.errors import WrongUsage

_PART = re.compile(r"""\s+|[()]|'[^']*'|"[^"]*"|%\([^()]*\)s|[^\s()'"%]+|%""")
_NAMED = re.compile(r"%\(([^()]*)\)s")
_LITERAL = re.compile(r"'([^']*)'|\"([^\"]*)\"|(True|False|None|\d+)")


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks, what of, and which rules there are."""

    credentials: Mapping[str, Any]
    target: Mapping[str, Any]
    rules: "Rules"


Check = Callable[[Question], bool]


def _always(_: Question) -> bool:
    return True


def _never(_: Question) -> bool:
    return False


def _words(text: str) -> list[str]:
    """The parentheses and words of a rule. Raises `ValueError` for a quotation mark that is not closed."""
    words: list[str] = []
    at, joined = 0, False
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise ValueError(f"a quotation mark is not closed: {text[at:].strip()}")
        part, at = match[0], match.end()
        if joined and not part.isspace() and part not in "()":
            words[-1] += part
        elif not part.isspace():
            words.append(part)
        joined = not part.isspace() and part not in "()"
    return words


class Parser:
    """Reads one rule from left to right: `not` binds closest, then `and`, then `or`. Raises `ValueError`."""

    def __init__(self, text: str) -> None:
        self._words = _words(text)
        self.named: set[str] = set()
        """The other rules that it asks."""
        self._is_empty = not text

    def check(self) -> Check:
        """What the whole text stands for."""
        if self._is_empty:
            return _always
        found = self._either()
        if self._words:
            raise ValueError(f"nothing is expected before {self._words[0]!r}")
        return found

    def _next_is(self, word: str) -> bool:
        if self._words and self._words[0].lower() == word:
            del self._words[0]
            return True
        return False

    def _either(self) -> Check:
        checks = [self._all()]
        while self._next_is("or"):
            checks.append(self._all())
        return checks[0] if len(checks) == 1 else lambda question: any(check(question) for check in checks)

    def _all(self) -> Check:
        checks = [self._one()]
        while self._next_is("and"):
            checks.append(self._one())
        return checks[0] if len(checks) == 1 else lambda question: all(check(question) for check in checks)

    def _one(self) -> Check:
        if self._next_is("not"):
            negated = self._one()
            return lambda question: not negated(question)
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
        if kind in ("http", "https", "field"):
            raise ValueError(f"checks of the kind {kind} are not supported")
        if kind == "rule":
            self.named.add(match)
            return lambda question: question.rules.allow(match, question.credentials, question.target)
        if kind == "role":
            return lambda question: _filled(match, question, str.lower) in _roles(question)
        literal = _LITERAL.fullmatch(kind)
        if literal is not None:
            value = next(part for part in literal.groups() if part is not None)
            return lambda question: _filled(match, question) == value
        return lambda question: _filled(match, question) in _texts(_found(question.credentials, kind))


def _filled(match: str, question: Question, form: Callable[[str], str] = str) -> str | None:
    """The match with what the target has in place of `%(name)s`; None, which is equal to nothing, if it lacks one."""
    values = {name: question.target.get(name) for name in _NAMED.findall(match)}
    if None in values.values():
        return None
    return form(_NAMED.sub(lambda found: str(values[found[1]]), match))


def _roles(question: Question) -> set[str]:
    return {str(role).lower() for role in question.credentials.get("roles", ())}


def _found(credentials: Mapping[str, Any], path: str) -> Any:
    """A credential by its name, with dots into what it holds."""
    value: Any = credentials
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else [str(value)]


class Rules:
    """Rules by their names."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Raises `ValueError` for a text that is no rule, for names that are not there, and for rules in a circle."""
        self._checks: dict[str, Check] = {}
        named: dict[str, set[str]] = {}
        for name, text in texts.items():
            try:
                parser = Parser(text)
                self._checks[name] = parser.check()
            except ValueError as error:
                raise ValueError(f"the rule {name}: {error}") from error
            named[name] = parser.named
            if unknown := parser.named - texts.keys():
                raise ValueError(f"the rule {name}: there is no rule {min(unknown)}")
        try:
            TopologicalSorter(named).prepare()
        except CycleError as error:
            raise ValueError(f"these rules ask each other in a circle: {', '.join(error.args[1])}") from error

    def __contains__(self, name: str) -> bool:
        return name in self._checks

    def allow(self, name: str, credentials: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
        """Whether the rule lets somebody with these credentials do it to the target. One that is not there does not."""
        check = self._checks.get(name)
        return check is not None and check(Question(credentials, target, self))


def read_rules(file: Path, setting: str, known: Mapping[str, str]) -> dict[str, str]:
    """The texts of a file, YAML or JSON, beside those that are `known`. Raises `WrongUsage` with what is wrong, where.

    What is known can't be named anew: whoever wrote it would think that it counts.
    """
    try:
        node = yaml.compose(file.read_text(), yaml.SafeLoader)
    except OSError as error:
        raise WrongUsage(f"{setting}: {file} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{setting}: {file} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    texts = dict(known)
    for key, value in _entries(node, file, setting):
        where = f"{setting}: line {key.start_mark.line + 1} of {file}"
        if not isinstance(value, yaml.ScalarNode):
            raise WrongUsage(f"{where}: the rule {key.value} has to be a text")
        if key.value in known:
            raise WrongUsage(f"{where}: {key.value} is a policy of the service itself, which the file can't change")
        try:
            Parser(value.value).check()
        except ValueError as error:
            raise WrongUsage(f"{where}: the rule {key.value}: {error}") from error
        texts[key.value] = value.value
    return texts


def _entries(node: Any, file: Path, setting: str) -> list[tuple[Any, Any]]:
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise WrongUsage(f"{setting}: {file} has to be rules by their names")
    return list(node.value)

"""The policies of one service: defaults under their upstream names, and what an operator's file says instead."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from appliance.errors import WrongUsage
from appliance.policy.files import PolicyFile, read_policy_file
from appliance.policy.language import Check, Credentials, RuleError, Target, compiled, parse

log = logging.getLogger(__name__)

ANY_SCOPE = frozenset({"system", "domain", "project"})
SYSTEM_OR_PROJECT = frozenset({"system", "project"})
PROJECT = frozenset({"project"})


@dataclass(frozen=True, slots=True)
class Default:
    """A policy as the service has it: a rule, and the scopes of the tokens that it takes.

    A file changes the rule, never the scopes. An unscoped token counts as one of a project.
    """

    text: str
    scopes: frozenset[str] = ANY_SCOPE


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule as it counts. `scopes` are empty for one that only others ask; `source` is `default` or the file."""

    name: str
    text: str
    scopes: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The rules in force, and what the file was like that they were read from."""

    texts: Mapping[str, str]
    checks: Mapping[str, Check]
    overridden: frozenset[str]
    version: tuple[int, ...] = ()


class PolicyRules:
    """Asked for each request: a file that has changed counts from the next one on.

    A new file with a mistake in it is told to the log, once, and the rules stay as they were.
    """

    def __init__(
        self,
        defaults: Mapping[str, Default],
        setting: str,
        file: str = "",
        *,
        not_asked: frozenset[str] = frozenset(),
        needed: Mapping[str, str] | None = None,
    ) -> None:
        """`not_asked` are policies of the original that nothing here asks. `needed` has the rules that something else
        asks for, each with where that is.

        Raises `WrongUsage` for a file that can't be meant.
        """
        self._defaults = defaults
        self._setting = setting
        self._path = Path(file) if file else None
        self._not_asked = not_asked
        self._needed = needed or {}
        self._refused: tuple[int, ...] | None = None
        self._loaded = self._load(self._path) if self._path else self._checked({}, None)

    def __contains__(self, name: str) -> bool:
        return name in self._current().checks

    def allows(self, name: str, credentials: Credentials, target: Target, scope: str) -> bool:
        """Whether somebody with these credentials, by a token of this scope, may do it to the target."""
        return scope in self._defaults[name].scopes and self._current().checks[name](credentials, target)

    def rule(self, name: str) -> Check:
        """The check of a rule, whatever the scope. Raises `KeyError` for one that is not there."""
        return self._current().checks[name]

    def is_overridden(self, *names: str) -> bool:
        """Whether the file has one of these."""
        return bool(self._current().overridden.intersection(names))

    def listed(self) -> Iterator[Listed]:
        """Every rule that counts, those of the file that are no policies included."""
        loaded = self._current()
        for name, text in loaded.texts.items():
            source = str(self._path) if name in loaded.overridden else "default"
            yield Listed(name, text, self._defaults[name].scopes if name in self._defaults else frozenset(), source)

    # -- the file ------------------------------------------------------------------------------------------------------

    def _current(self) -> _Loaded:
        """The rules in force, read again if the file is another than the last time."""
        if self._path is None:
            return self._loaded
        version = _version(self._path)
        if version not in (self._loaded.version, self._refused):
            try:
                self._loaded = self._load(self._path)
                self._refused = None
                log.info("%s: %s has changed; its rules count from now on", self._setting, self._path)
            except WrongUsage as error:
                self._refused = version
                log.error("%s; the rules stay as they were", error)
        return self._loaded

    def _load(self, path: Path) -> _Loaded:
        # Before it is read: a change meanwhile is seen as one the next time.
        version = _version(path)
        file = read_policy_file(self._setting, path)
        for name, text in file.texts.items():
            try:
                parse(text, {})
            except ValueError as error:
                raise file.wrong(name, f"the rule {name}: {error}") from error
        return self._checked(file.texts, file, version)

    def _checked(self, texts: Mapping[str, str], file: PolicyFile | None, version: tuple[int, ...] = ()) -> _Loaded:
        merged = {name: default.text for name, default in self._defaults.items()} | dict(texts)
        try:
            checks = compiled(merged)
        except RuleError as error:
            names = [name for name in error.names if file and name in file.texts]
            raise file.wrong(names[0], str(error)) if file and names else error from error
        if file:
            self._check_names(file, merged)
        for name, where in self._needed.items():
            if name not in checks:
                raise WrongUsage(f"{where} names the rule {name}, which {self._setting} does not have")
        return _Loaded(merged, checks, frozenset(texts), version)

    def _check_names(self, file: PolicyFile, merged: Mapping[str, str]) -> None:
        """Refuse a name that nothing would ever ask: whoever wrote it thinks that it counts."""
        used = set(self._needed).union(*(parse(text, {}).named for text in merged.values()))
        for name in file.texts:
            if name in self._not_asked:
                log.warning("%s: line %d of %s: nothing here asks %s", file.setting, file.lines[name], file.path, name)
            elif name not in self._defaults and name not in used:
                near = get_close_matches(name, self._defaults, 1)
                raise file.wrong(
                    name,
                    f"there is no policy {name}, and no rule asks one of that name"
                    + (f"; is it {near[0]}?" if near else ""),
                )


def _version(path: Path) -> tuple[int, ...]:
    """What changes with a file: also by another one that takes its name, or behind a link."""
    try:
        found = path.stat()
    except OSError:
        return (0,)
    return found.st_ino, found.st_size, found.st_mtime_ns

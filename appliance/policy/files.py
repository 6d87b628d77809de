"""An operator's policy file, YAML or JSON: rules by their names, and in which line each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from appliance.errors import WrongUsage


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What a file says. `setting` is the one that names it, for messages."""

    setting: str
    path: Path
    texts: Mapping[str, str]
    lines: Mapping[str, int]

    def wrong(self, name: str, message: str) -> WrongUsage:
        """The error for something wrong with one of its rules."""
        return WrongUsage(f"{self.setting}: line {self.lines[name]} of {self.path}: {message}")


def read_policy_file(setting: str, path: Path) -> PolicyFile:
    """Raises `WrongUsage` with what is wrong, and where."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WrongUsage(f"{setting}: {path} can't be read: {reason}") from error
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} of {path}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it is neither YAML nor JSON"
        raise WrongUsage(f"{setting}: {where}: {problem}") from error
    found = PolicyFile(setting, path, {}, {})
    for key, value in _entries(node, setting, path):
        _add(found, text, key, value)
    return found


def _add(found: PolicyFile, text: str, key: Any, value: Any) -> None:
    """Put one entry of the file into what was found so far."""
    line = key.start_mark.line + 1
    where = f"{found.setting}: line {line} of {found.path}"
    if not isinstance(key, yaml.ScalarNode):
        raise WrongUsage(f"{where}: the name of a rule has to be a text")
    if not isinstance(value, yaml.ScalarNode):
        raise WrongUsage(f"{where}: the rule {key.value} has to be a text")
    if key.value in found.texts:
        raise WrongUsage(f"{where}: the rule {key.value} is there twice, in line {found.lines[key.value]}, too")
    if text[value.start_mark.index : value.end_mark.index].startswith("!"):
        # YAML takes it for the mark of a type before an empty text, which would let in everybody.
        raise WrongUsage(f'{where}: the rule {key.value}: write "!" in quotation marks')
    assert isinstance(found.texts, dict) and isinstance(found.lines, dict)
    found.texts[key.value], found.lines[key.value] = value.value, line


def _entries(node: Any, setting: str, path: Path) -> list[tuple[Any, Any]]:
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise WrongUsage(f"{setting}: {path} has to be rules by their names")
    return list(node.value)

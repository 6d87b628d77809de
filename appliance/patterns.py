"""Regular expressions that an operator writes and clients' text is matched with: none may take for ever.

Python's matcher goes back and tries again, and nothing can stop it. How often it may do so is counted when the
expression is read: repetitions one after the other multiply the work by the length of the text each, one inside of
another knows no bound and is refused. Texts are then only matched up to the length that bounds the work.
"""

import re

_MOST_STEPS = 10**7
"""About a tenth of a second."""
_MANY = 20
"""A repetition of more than this counts like one without an end."""
_REPEAT = re.compile(r"\*|\+|\{(\d*),(\d*)\}|\{(\d+)\}")
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")


class OperatorPattern:
    """A compiled expression. `longest` is how many characters a text may have to be looked at, and `longest_within`
    how many if the expression may match anywhere in it."""

    def __init__(self, text: str) -> None:
        """Raises `ValueError` with a sentence for what is no regular expression, or one without bounds."""
        try:
            self._pattern = re.compile(text)
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        degree = _degree(text)
        self.longest = _longest(degree)
        self.longest_within = self.longest if text.startswith(("^", r"\A")) else _longest(degree + 1)

    def matches(self, text: str) -> bool:
        """Whether it matches at the beginning of the text; no text that is too long does."""
        return len(text) <= self.longest and self._pattern.match(text) is not None

    def occurs(self, text: str) -> bool:
        """Whether it matches anywhere in the text; in none that is too long."""
        return len(text) <= self.longest_within and self._pattern.search(text) is not None


def _longest(degree: int) -> int:
    return int(_MOST_STEPS ** (1 / max(degree, 1)))


class _Group:
    """What is known of a group, or of the whole, while it is read: repetitions in this alternative, and at most."""

    def __init__(self, outside: int, *, look_around: bool = False) -> None:
        self.outside = outside
        self.look_around = look_around
        self.here = 0
        self.most = 0

    def end_alternative(self) -> None:
        self.most = max(self.most, self.here)
        self.here = 0


def _degree(text: str) -> int:
    """By which power of a text's length the work can grow. Raises `ValueError` if by more than any."""
    groups = [_Group(0)]
    deepest = at = 0
    while at < len(text):
        inner = 0
        if text[at] == "(":
            look_around = _LOOK_AROUND.match(text, at) is not None
            groups.append(_Group(groups[-1].outside + groups[-1].here, look_around=look_around))
            at += 2 if text.startswith("(?", at) else 1
            continue
        if text[at] == "|":
            groups[-1].end_alternative()
            at += 1
            continue
        if text[at] == ")":
            closed = groups.pop()
            closed.end_alternative()
            deepest = max(deepest, closed.outside + closed.most)
            inner = 0 if closed.look_around else closed.most
        at = _after_atom(text, at)
        repeat = _REPEAT.match(text, at)
        if repeat is not None and _is_long(repeat):
            if inner:
                raise ValueError("it repeats what repeats already, which can take for ever")
            groups[-1].here += 1
        groups[-1].here += inner
        at = repeat.end() if repeat is not None else at
    groups[0].end_alternative()
    return max(deepest, groups[0].most)


def _after_atom(text: str, at: int) -> int:
    """Where the character, escape or class that begins here ends."""
    if text[at] == "\\":
        return at + 2
    if text[at] != "[":
        return at + 1
    at += 2 if text.startswith("[^", at) else 1
    # A bracket that comes first stands for itself.
    at += 1
    while at < len(text) and text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _is_long(repeat: re.Match[str]) -> bool:
    if repeat[0] in "*+":
        return True
    most = repeat[3] if repeat[3] is not None else repeat[2]
    return not most or int(most) > _MANY

"""Which route a path belongs to: a service's table as a tree of the segments of its paths."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class NotRouted(Exception):
    """No route takes this method on this path; `allowed` has those that are taken there, if it is a path at all."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        super().__init__("no route")
        self.allowed = allowed


class _Node(Generic[T]):
    """What may follow one segment, and what is there if the path ends."""

    __slots__ = ("below", "ends", "named")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] = {}
        self.named: _Node[T] | None = None
        self.ends: dict[str, tuple[T, tuple[str, ...]]] = {}
        """By the method: a target, and the names of the segments on the way there that have one."""


class Router(Generic[T]):
    """Finds targets by method and path.

    A path is made of literal segments and of names, as in `/v2/images/<image_id>/file`. A name stands for one whole
    segment that is not empty; where a path fits several routes, what is literal goes first.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, path: str, target: T) -> None:
        """A later route of the same method and form takes the place of an earlier one."""
        node, names = self._root, []
        for segment in path.split("/"):
            if segment.startswith("<"):
                names.append(segment[1:-1])
                node.named = node.named or _Node()
                node = node.named
            else:
                node = node.below.setdefault(segment, _Node())
        node.ends[method] = target, tuple(names)

    def match(self, methods: Sequence[str], path: str) -> tuple[T, dict[str, str]]:
        """The target for the first of the methods that is taken there, and the named segments. Raises `NotRouted`."""
        found = list(_fitting(self._root, path.split("/"), 0, ()))
        for method in methods:
            for node, values in found:
                if method in node.ends:
                    target, names = node.ends[method]
                    return target, dict(zip(names, values, strict=True))
        raise NotRouted(sorted({method for node, _ in found for method in node.ends}))


def _fitting(
    node: _Node[T], segments: Sequence[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node[T], tuple[str, ...]]]:
    """The ends of all paths that these segments fit, the most literal first."""
    if at == len(segments):
        yield node, values
        return
    segment = segments[at]
    if segment in node.below:
        yield from _fitting(node.below[segment], segments, at + 1, values)
    if segment and node.named is not None:
        yield from _fitting(node.named, segments, at + 1, (*values, segment))

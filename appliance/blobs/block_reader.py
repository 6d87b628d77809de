"""Reads runs of blocks from segments and checks each against its name before anybody gets to see it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from appliance.blobs.codec import RAW, decode
from appliance.blobs.digest import block_digest
from appliance.blobs.handles import Handles
from appliance.blobs.index import Span
from appliance.blobs.recent_checks import RecentChecks
from appliance.errors import Corrupt, Failure
from appliance.values import KIB, MIB, FileRange

_SMALL_RUN = 32 * KIB

Stored = FileRange | bytes | memoryview | int
"""A piece on its way out; a number stands for that many zeros."""


class Step(NamedTuple):
    """The part of a span that is wanted: `take` bytes after the first `skip`."""

    span: Span
    skip: int
    take: int


class BlockReader:
    """Turns steps into pieces. Any thread may use it: there is a scratch buffer for each."""

    def __init__(self, handles: Handles, on_damage: Callable[[int], None], checks: RecentChecks) -> None:
        self._handles = handles
        self._on_damage = on_damage
        self._checks = checks
        self._local = threading.local()

    def load(self, steps: Sequence[Step], keep: Callable[[str], None] | None) -> list[Stored]:
        """The bytes of the steps. With `keep`, raw runs come as file ranges, after `keep` was told their segment.

        Raises `Corrupt` or `StorageFault`, and `SegmentMissing` if a segment went away.
        """
        pieces: list[Stored] = []
        for run in runs(steps):
            if not run[0].span.segment:
                pieces.append(run[0].take)
            else:
                pieces.extend(self._load_run(run, keep))
        return pieces

    def _load_run(self, run: list[Step], keep: Callable[[str], None] | None) -> Iterator[Stored]:
        name, at = run[0].span.segment, run[0].span.at
        length = run[-1].span.at + run[-1].span.stored - at
        as_file = keep is not None and length >= _SMALL_RUN and all(step.span.codec == RAW for step in run)
        if as_file and keep is not None and self._checks.has(name, at, length):
            trusted = self._as_file(run, keep)
            if trusted is not None:
                return iter([trusted])
        buffer = self._scratch(length) if as_file else memoryview(bytearray(length))
        handle = self._handles.acquire(name)
        try:
            handle.read_into(buffer, at)
            pieces = [self._checked(step, buffer[step.span.at - at :][: step.span.stored]) for step in run]
            if as_file and keep is not None and (checked := self._as_file(run, keep)) is not None:
                self._checks.add(name, at, length)
                return iter([checked])
            return iter([bytes(piece) for piece in pieces] if as_file else pieces)
        finally:
            self._handles.release(name)

    def _as_file(self, run: list[Step], keep: Callable[[str], None]) -> FileRange | None:
        """The run's place in its file, which stays open; None if it is in no file of this machine."""
        span = run[0].span
        handle = self._handles.acquire(span.segment)
        try:
            number = handle.file_number()
            if number is None:
                return None
            keep(span.segment)
            return FileRange(number, span.at + run[0].skip, sum(step.take for step in run))
        finally:
            self._handles.release(span.segment)

    def _checked(self, step: Step, stored: memoryview) -> bytes | memoryview:
        span = step.span
        try:
            plain = decode(span.codec, stored, span.length)
            if block_digest(plain) != span.digest:
                raise Corrupt("stored data is damaged: a block does not match its digest")
        except Corrupt:
            self._checks.forget()
            try:
                self._on_damage(span.block_id)
            except Failure:
                pass
            raise
        if step.take == span.length:
            return plain if isinstance(plain, (bytes, memoryview)) else memoryview(plain)
        return memoryview(plain)[step.skip : step.skip + step.take]

    def _scratch(self, length: int) -> memoryview:
        scratch: memoryview | None = getattr(self._local, "scratch", None)
        if scratch is None or len(scratch) < length:
            scratch = self._local.scratch = memoryview(bytearray(max(length, 2 * MIB)))
        return scratch[:length]


def runs(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Group steps that follow each other in one segment; a hole stands alone."""
    run: list[Step] = []
    for step in steps:
        last = run[-1].span if run else None
        if last and last.segment and last.segment == step.span.segment and last.at + last.stored == step.span.at:
            run.append(step)
            continue
        if run:
            yield run
        run = [step]
    if run:
        yield run

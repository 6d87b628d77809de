"""The cutters: nothing lost, bounds kept, changes stay local, and the size of reads does not matter."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.blobs.cutter import (
    HOLE_PAGES,
    MAX_BLOCK,
    MIN_BLOCK,
    PAGE,
    AnchorCutter,
    Cut,
    PageGridCutter,
)
from appliance.values import KIB, MIB

CUTTERS = [PageGridCutter, AnchorCutter]


def cut(kind: type[PageGridCutter] | type[AnchorCutter], data: bytes, reads: list[int] | None = None) -> list[Cut]:
    """All cuts of `data`, handed in with reads of so many pages each, over and over."""
    cutter = kind()
    cuts: list[Cut] = []
    position = turn = 0
    while position < len(data):
        pages = reads[turn % len(reads)] if reads else 512
        end = min(len(data), position + pages * PAGE)
        buffer = bytearray(MAX_BLOCK) + data[position:end]
        open_length = cutter.open_length
        buffer[MAX_BLOCK - open_length : MAX_BLOCK] = data[position - open_length : position]
        cuts += cutter.feed(buffer, MAX_BLOCK, len(buffer))
        position, turn = end, turn + 1
    return cuts + cutter.finish()


def pages_of(seed: int, count: int) -> bytes:
    return random.Random(seed).randbytes(count * PAGE)


runs = st.lists(
    st.tuples(st.sampled_from(["noise", "zeros", "same", "literals"]), st.integers(0, 90 * PAGE), st.integers(0, 99)),
    max_size=6,
)


def build(parts: list[tuple[str, int, int]], aligned: bool) -> bytes:
    made = bytearray()
    for kind, length, seed in parts:
        length = length // PAGE * PAGE if aligned else length
        if kind == "noise":
            made += random.Random(seed).randbytes(length)
        elif kind == "zeros":
            made += bytes(length)
        elif kind == "same":
            made += bytes([seed + 1]) * length
        else:
            made += (b"\x9d\x61\x00" * (length // 3 + 1))[:length]
    return bytes(made)


@pytest.mark.parametrize("kind", CUTTERS)
@settings(max_examples=60, deadline=None)
@given(parts=runs, aligned=st.booleans())
def test_pieces_add_up_and_keep_the_bounds(
    kind: type[PageGridCutter] | type[AnchorCutter], parts: list[tuple[str, int, int]], aligned: bool
) -> None:
    data = build(parts, aligned)
    cuts = cut(kind, data)
    assert sum(length for length, _ in cuts) == len(data)
    position = 0
    for number, (length, is_hole) in enumerate(cuts):
        assert length > 0
        if is_hole:
            assert not any(data[position : position + length])
        else:
            assert length <= MAX_BLOCK
            before_hole = number + 1 < len(cuts) and cuts[number + 1][1]
            after_upper = number > 0 and cuts[number - 1] == (MAX_BLOCK, False)
            last = number + 1 == len(cuts)
            assert length >= MIN_BLOCK or before_hole or after_upper or last
        position += length


@pytest.mark.parametrize("kind", CUTTERS)
@settings(max_examples=60, deadline=None)
@given(parts=runs, reads=st.lists(st.integers(1, 70), min_size=1, max_size=5))
def test_the_size_of_reads_does_not_matter(
    kind: type[PageGridCutter] | type[AnchorCutter], parts: list[tuple[str, int, int]], reads: list[int]
) -> None:
    data = build(parts, aligned=False)
    assert cut(kind, data, reads) == cut(kind, data)


@pytest.mark.parametrize("kind", CUTTERS)
@settings(max_examples=40, deadline=None)
@given(parts=runs)
def test_every_long_run_of_zeros_is_a_hole(
    kind: type[PageGridCutter] | type[AnchorCutter], parts: list[tuple[str, int, int]]
) -> None:
    data = build(parts, aligned=True)
    position = 0
    for length, is_hole in cut(kind, data):
        block = data[position : position + length]
        if not is_hole:
            inside = block[-position % PAGE :]
            pages = [inside[start : start + PAGE] for start in range(0, len(inside) - PAGE + 1, PAGE)]
            zeros = longest = 0
            for page in pages:
                zeros = zeros + 1 if not any(page) else 0
                longest = max(longest, zeros)
            assert longest < HOLE_PAGES
        position += length


def blocks(data: bytes, cuts: list[Cut]) -> list[bytes]:
    found, position = [], 0
    for length, _ in cuts:
        found.append(data[position : position + length])
        position += length
    return found


@settings(max_examples=80, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), at=st.integers(0, 400), inserted=st.integers(0, 10_000))
def test_an_inserted_page_changes_at_most_three_blocks(seed: int, at: int, inserted: int) -> None:
    before = pages_of(seed, 400)
    after = before[: at * PAGE] + pages_of(inserted + 20_000, 1) + before[at * PAGE :]
    known = set(blocks(before, cut(PageGridCutter, before)))
    fresh = [block for block in blocks(after, cut(PageGridCutter, after)) if block not in known]
    assert len(fresh) <= 3


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), at=st.integers(0, 2 * MIB), length=st.integers(1, 5000))
def test_bytes_inserted_into_a_compressed_container_change_little(seed: int, at: int, length: int) -> None:
    before = random.Random(seed).randbytes(2 * MIB)
    after = before[:at] + random.Random(seed + 1).randbytes(length) + before[at:]
    known = set(blocks(before, cut(AnchorCutter, before)))
    fresh = sum(len(block) for block in blocks(after, cut(AnchorCutter, after)) if block not in known)
    assert fresh < MIB


def test_blocks_of_noise_are_about_64_kib() -> None:
    for kind in CUTTERS:
        data = pages_of(7, 8192)
        average = len(data) / len(cut(kind, data))
        assert 48 * KIB < average < 96 * KIB


def test_a_cutter_takes_over_in_mid_stream() -> None:
    data = pages_of(1, 100)
    first = PageGridCutter()
    cuts = first.feed(bytearray(data), 0, 50 * PAGE)
    second = AnchorCutter(first)
    cuts += second.feed(bytearray(data), 50 * PAGE, len(data))
    cuts += second.finish()
    assert sum(length for length, _ in cuts) == len(data)

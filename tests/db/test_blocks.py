"""The block index by itself: transactions that hold or leave nothing, GC guard by query, and what it costs."""

import os
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from appliance.blobs.index import MAX_EXTENT_BLOCKS, Item, NewBlock, Part, Sealed, extents_of
from appliance.blobs.segment_format import HOLE
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.base import Database, Tx
from appliance.errors import Corrupt, NotFound, Unavailable
from appliance.values import KIB

LENGTH = 64 * KIB


SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
"""What is said of files and plans is said of this engine."""


@pytest.fixture
def index(db: Database) -> BlockIndex:
    made = BlockIndex(db)
    made.adopt_store(os.urandom(16))
    return made


def digests(count: int, kind: bytes = b"d") -> list[bytes]:
    return [kind + number.to_bytes(31, "big") for number in range(count)]


def part_of(items: list[Item], segment: str, number: int = 0, offset: int = 0) -> Part:
    part = Part(number, offset, segment, 10_000)
    at = 100
    for item in items:
        part.items.append(item)
        part.length += item.length
        if item.digest != HOLE and not item.known_id and item.digest not in part.new:
            part.new[item.digest] = NewBlock(at, item.length // 2, item.length, 1)
            at += item.length // 2
    return part


def sealed_of(part: Part, upload: bytes, content_id: int | None = None) -> Sealed:
    size = part.offset + part.length
    return Sealed(upload, content_id, part, size, "00" * 16, "sha512", "00" * 64, b"label", 5)


def put(db: Database, index: BlockIndex, items: list[Item], name: str) -> int:
    return db.transact(lambda tx: index.commit(tx, sealed_of(part_of(items, name), name.encode().ljust(16))))


def new_items(wanted: list[bytes]) -> list[Item]:
    return [Item(digest, LENGTH) for digest in wanted]


def test_a_commit_maps_blocks_and_holes_in_order(db: Database, index: BlockIndex) -> None:
    a, b, c = digests(3)
    content = put(db, index, [Item(a, LENGTH), Item(HOLE, 9999), Item(b, LENGTH), Item(a, LENGTH), Item(c, 7)], "one")
    spans = index.spans(content, 0, 100)
    assert [span.digest for span in spans] == [a, b"", b, a, c]
    assert [span.offset for span in spans] == [0, LENGTH, LENGTH + 9999, 2 * LENGTH + 9999, 3 * LENGTH + 9999]
    row = index.content(content)
    assert row is not None
    assert (row.size, row.hole_length, row.reused_length, row.created_at) == (3 * LENGTH + 10_006, 9999, LENGTH, 5)


def test_spans_begin_at_the_extent_that_covers_the_offset(db: Database, index: BlockIndex) -> None:
    content = put(db, index, new_items(digests(600)), "one")
    spans = index.spans(content, 300 * LENGTH, 10)
    assert spans[0].offset <= 300 * LENGTH < spans[-1].offset + spans[-1].length
    assert len(spans) <= MAX_EXTENT_BLOCKS


def test_a_rolled_back_commit_leaves_nothing(db: Database, index: BlockIndex) -> None:
    def change(tx: Tx) -> None:
        index.commit(tx, sealed_of(part_of(new_items(digests(3)), "s"), b"u" * 16))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.transact(change)
    for table in ("contents", "blocks", "segments", "extents", "stretches"):
        assert db.rows(f"SELECT * FROM {table}") == []
    assert index.find(digests(3)) == {}


def test_a_reused_block_must_be_there_at_the_commit(db: Database, index: BlockIndex) -> None:
    put(db, index, new_items(digests(2)), "one")
    known = index.find(digests(2))
    db.transact(lambda tx: tx.execute("UPDATE blocks SET damaged_at = 1 WHERE id = ?", (known[digests(2)[0]].id,)))
    with pytest.raises(Unavailable, match="damaged"):
        put(db, index, [Item(digest, LENGTH, known[digest].id) for digest in digests(2)], "two")
    with pytest.raises(Unavailable):
        put(db, index, [Item(digests(1)[0], LENGTH, 4711)], "three")
    assert len(index.maintenance.contents()) == 1


def test_digests_that_share_their_first_bytes_are_told_apart(db: Database, index: BlockIndex) -> None:
    known = [b"samekey!" + bytes([number]) * 24 for number in (1, 2, 3)]
    put(db, index, new_items(known[:2]), "one")
    found = index.find(known)
    assert found.keys() == set(known[:2]) and found[known[0]].id != found[known[1]].id


def test_a_block_is_found_only_in_its_own_store(db: Database, index: BlockIndex) -> None:
    put(db, index, new_items(digests(1)), "one")
    other = BlockIndex(db, "other")
    other.adopt_store(os.urandom(16))
    assert other.find(digests(1)) == {}


def test_two_uploads_of_one_new_block_keep_one(db: Database, index: BlockIndex) -> None:
    first = put(db, index, new_items(digests(2)), "one")
    second = put(db, index, new_items(digests(2)), "two")
    ids = [[span.block_id for span in index.spans(content, 0, 9)] for content in (first, second)]
    assert ids[0] == ids[1]
    assert [row.live_blocks for row in index.maintenance.segments()] == [2, 0]


def test_block_ids_are_never_used_again(db: Database, index: BlockIndex) -> None:
    content = put(db, index, new_items(digests(3)), "one")
    before = max(span.block_id for span in index.spans(content, 0, 9))
    db.transact(lambda tx: index.release(tx, content))
    index.maintenance.drop_extents(content, 10, 100)
    index.maintenance.drop_content(content)
    assert index.maintenance.delete_marked(10, 100) == (3, 0)
    again = put(db, index, new_items(digests(1, b"n")), "two")
    assert again > content
    assert index.spans(again, 0, 9)[0].block_id > before


def test_dropping_marks_only_what_nothing_else_names(db: Database, index: BlockIndex) -> None:
    names = digests(700)
    first = put(db, index, new_items(names), "one")
    known = index.find(names)
    shared = names[100:500:3]
    put(db, index, [Item(digest, LENGTH, known[digest].id) for digest in shared], "two")
    db.transact(lambda tx: index.release(tx, first))
    while index.maintenance.drop_extents(first, 10, 1):
        pass
    assert index.maintenance.marked(10)[0] == len(names) - len(shared)
    assert index.maintenance.delete_marked(10, 10_000) == (len(names) - len(shared), 0)
    assert index.find(names).keys() == set(shared)
    assert index.maintenance.segments()[0].live_blocks == len(shared)


def test_a_marked_block_that_is_named_again_is_unmarked(db: Database, index: BlockIndex) -> None:
    content = put(db, index, new_items(digests(2)), "one")
    db.transact(lambda tx: tx.execute("UPDATE blocks SET condemned_at = 3"))
    assert index.find(digests(2)) == {}
    assert index.maintenance.delete_marked(10, 100) == (0, 2)
    assert len(index.find(digests(2))) == 2 and len(index.spans(content, 0, 9)) == 2


def test_a_missing_block_is_corruption_and_not_a_hole(db: Database, index: BlockIndex) -> None:
    content = put(db, index, new_items(digests(3)), "one")
    db.transact(lambda tx: tx.execute("DELETE FROM blocks WHERE id = 2"))
    with pytest.raises(Corrupt):
        index.spans(content, 0, 9)


def test_an_upload_grows_by_parts_and_is_stored_by_its_commit(db: Database, index: BlockIndex) -> None:
    upload = b"u" * 16
    names = digests(4)
    first = part_of(new_items(names[:2]), "a")
    content = index.add_part(upload, None, first, 1)
    assert index.content(content) is None and index.maintenance.totals().contents == 0
    last = part_of(new_items(names[2:]), "b", 1, first.length)

    def change(tx: Tx) -> None:
        assert index.commit(tx, sealed_of(last, upload, content)) == content

    db.transact(change)
    assert [span.digest for span in index.spans(content, 0, 9)] == names
    index.discard(content)
    assert index.content(content) is not None, "a stored content can't be discarded"


def test_a_discarded_upload_can_be_collected_and_not_committed(db: Database, index: BlockIndex) -> None:
    first = part_of(new_items(digests(2)), "a")
    content = index.add_part(b"u" * 16, None, first, 1)
    index.discard(content)
    last = part_of(new_items(digests(2, b"e")), "b", 1, first.length)
    with pytest.raises(Unavailable):
        db.transact(lambda tx: index.commit(tx, sealed_of(last, b"u" * 16, content)))
    assert [row.id for row in index.maintenance.released(0, 9)] == [content]


def test_releasing_twice_or_nothing_is_refused(db: Database, index: BlockIndex) -> None:
    content = put(db, index, new_items(digests(1)), "one")
    db.transact(lambda tx: index.release(tx, content))
    for wrong in (content, 99):
        with pytest.raises(NotFound):
            db.transact(partial(index.release, content_id=wrong))


def test_extents_fold_neighbours_and_stay_short() -> None:
    steps = [(1, 10), (2, 10), (3, 5), (0, 7), (0, 8), (9, 1), (8, 1), (9, 1)]
    assert list(extents_of(iter(steps))) == [(1, 3, 25), (None, 0, 15), (9, 1, 1), (8, 2, 2)]
    long = list(extents_of((number, 1) for number in range(1, 1001)))
    assert max(blocks for _, blocks, _ in long) == MAX_EXTENT_BLOCKS
    assert sum(blocks for _, blocks, _ in long) == 1000
    assert list(extents_of(iter([]))) == []


@SQLITE
def test_the_index_costs_under_one_and_a_half_mib_a_gib(db: Database, index: BlockIndex, tmp_path: Path) -> None:
    blocks = 13_500  # a GiB in blocks of about 78 KiB, as the page grid cuts it
    names = [os.urandom(32) for _ in range(blocks)]
    for part in range(2):
        put(db, index, new_items(names[part::2]), f"s{part}")
    size = _pages(tmp_path / "appliance.db", ("blocks%", "extents%", "segments%", "stretches%", "contents%"))
    assert size < 1.5 * 1024 * 1024


def _pages(path: Path, names: tuple[str, ...]) -> int:
    copy = path.with_name("copy.db")
    source = sqlite3.connect(path)
    empty = source.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()
    # Every table has at least its root page; what the blocks cost is the rest.
    return copy.stat().st_size - int(empty) * 4096


@SQLITE
def test_a_listing_of_contents_is_a_walk_by_id(db: Database, index: BlockIndex) -> None:
    ids = [put(db, index, new_items(digests(1, bytes([number]))), f"s{number}") for number in range(65, 75)]
    assert [row.id for row in index.maintenance.contents(after=ids[3], most=3)] == ids[4:7]
    plan = db.rows("EXPLAIN QUERY PLAN SELECT * FROM contents WHERE id = ? AND state = ? AND store = ?", (1, 1, 1))
    assert "SEARCH" in plan[0]["detail"]


@SQLITE
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM blocks WHERE key IN (1, 2, 3) AND store = 1 AND condemned_at IS NULL AND damaged_at IS NULL",
        "SELECT id FROM blocks b WHERE b.store = 1 AND b.condemned_at IS NOT NULL AND b.condemned_at <= 5 LIMIT 9",
        "SELECT id FROM blocks WHERE store = 1 AND damaged_at IS NOT NULL",
        "SELECT 1 FROM extents e WHERE e.first_block BETWEEN 5 - 255 AND 5 AND e.first_block + e.blocks > 5",
        "SELECT * FROM contents WHERE store = 1 AND state = 2 AND state <> 1 AND id > 0 ORDER BY id LIMIT 9",
        "SELECT * FROM segments WHERE store = 1 AND name = 'x'",
    ],
)
def test_no_query_walks_a_table_that_grows(db: Database, sql: str, index: BlockIndex) -> None:
    for row in db.rows(f"EXPLAIN QUERY PLAN {sql}"):
        assert "SCAN" not in row["detail"], row["detail"]

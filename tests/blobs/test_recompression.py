"""What nobody reads is compressed with zstd in the background: it takes less room, and reads back byte for byte."""

import random
from pathlib import Path

import lz4.block
import pytest
import zstandard

from appliance.blobs import segment_format as fmt
from appliance.blobs.block_writer import Limits
from appliance.blobs.codec import LZ4, RAW, ZSTD, DenseEncoder, block_digest, decode
from appliance.blobs.delivery import StoredBlock
from appliance.blobs.garbage_collection import GarbageCollector, Step
from appliance.blobs.rebuild import Rebuilder
from appliance.blobs.scrub import DAY
from appliance.blobs.segments import SegmentWriter
from appliance.blobs.store import BlobStore
from appliance.db.blocks.index import BlockIndex
from appliance.db.engine.registry import open_database
from appliance.errors import Corrupt
from appliance.values import GIB, KIB, MIB
from tests.blobs.world import World, noise, text, world_in

SMALL = Limits(segment=512 * KIB, items=200)


def recompress(world: World, *, recompress_after: int = -1, **more: object) -> list[Step]:
    """One pass that recompresses what was not read in the last `recompress_after` microseconds; by default all."""
    collector = GarbageCollector(world.store, grace=0, recompress_after=recompress_after, **more)  # type: ignore[arg-type]
    return collector.run()


def at(world: World, day: int) -> None:
    """Have the store's clock stand at a day of long ago or of the future."""
    world.store.clock = lambda: 1_700_000_000_000_000 + day * DAY


def codecs(world: World, content_id: int) -> set[int]:
    return {span.codec for span in world.index.spans(content_id, 0, 10_000) if span.segment}


def versions(world: World) -> set[int]:
    return {int.from_bytes(path.read_bytes()[8:10], "little") for path in world.segments()}


# -- the form of a block


@pytest.mark.parametrize("length", [1, 4096, 70_000, 256 * KIB])
def test_a_block_comes_back(length: int) -> None:
    plain = text(length + 100)[:length]
    codec, data = DenseEncoder().encode(plain, RAW, plain)
    assert decode(codec, data, length) == plain


def test_what_gains_less_than_an_eighth_stays_as_it_is() -> None:
    plain = noise(64 * KIB)
    assert DenseEncoder().encode(plain, RAW, plain) == (RAW, plain)


def test_a_frame_that_claims_more_than_the_block_is_long_is_not_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(GIB // 4))
    with pytest.raises(Corrupt):
        decode(ZSTD, bomb, 64 * KIB)


def test_a_frame_without_a_length_is_not_unpacked() -> None:
    endless = zstandard.ZstdCompressor(write_content_size=False).compress(text(64 * KIB))
    with pytest.raises(Corrupt):
        decode(ZSTD, endless, 64 * KIB)


def test_what_follows_a_frame_is_no_part_of_a_block() -> None:
    frame = zstandard.ZstdCompressor().compress(text(64 * KIB))
    with pytest.raises(Corrupt):
        decode(ZSTD, frame + frame, 64 * KIB)


def test_damage_anywhere_in_a_frame_is_refused_or_found_by_the_digest() -> None:
    plain = text(20 * KIB)
    frame = zstandard.ZstdCompressor(level=3).compress(plain)
    luck = random.Random(7)
    for _ in range(500):
        hurt = bytearray(frame)
        hurt[luck.randrange(len(hurt))] ^= 1 << luck.randrange(8)
        try:
            got = decode(ZSTD, hurt, len(plain))
        except Corrupt:
            continue
        assert len(got) == len(plain) and (block_digest(got) != block_digest(plain) or got == plain)


def test_a_segment_holds_such_blocks_only_if_its_header_says_so(world: World) -> None:
    writer = SegmentWriter(world.store.backend, world.store.uuid, 0)
    with pytest.raises(ValueError, match="zstd"):
        writer.add_blocks([fmt.BlockEntry(bytes(32), 4, 1, ZSTD)], [b"x"])
    writer.discard()


def test_a_version_to_come_is_refused() -> None:
    with pytest.raises(Corrupt, match="version 3"):
        fmt.unpack_header(fmt.pack_header(fmt.SegmentHeader(bytes(16), bytes(16), 0, 3)))


# -- the collection


def test_it_gives_room_back_and_changes_no_byte(world: World) -> None:
    data = text(2 * MIB) + noise(200 * KIB) + bytes(MIB) + text(300 * KIB, 1)
    content = world.put(data)
    before = world.stored()
    steps = {step.what: step.count for step in recompress(world)}
    assert steps["blocks recompressed"] > 10
    assert world.stored() < 0.8 * before
    assert codecs(world, content) == {RAW, ZSTD}
    assert world.get(content) == world.get_pieces(content) == data


def test_ranges_of_recompressed_blocks(world: World) -> None:
    data = text(700 * KIB)
    content = world.put(data)
    recompress(world)
    luck = random.Random(3)
    for _ in range(50):
        start = luck.randrange(len(data))
        length = luck.randrange(len(data) - start)
        assert world.get(content, start, length) == data[start : start + length]


def test_it_is_off_unless_asked_for(world: World) -> None:
    content = world.put(text(MIB))
    world.collect()
    assert codecs(world, content) == {LZ4} and versions(world) == {fmt.VERSION}


def test_what_was_read_a_short_while_ago_is_left_alone(world: World) -> None:
    at(world, 0)
    cold, warm = world.put(text(MIB)), world.put(text(MIB, 1))
    at(world, 20)
    world.get(warm)
    recompress(world, recompress_after=30 * DAY)
    assert codecs(world, cold) == codecs(world, warm) == {LZ4}
    at(world, 40)
    recompress(world, recompress_after=30 * DAY)
    assert codecs(world, cold) == {ZSTD} and codecs(world, warm) == {LZ4}
    at(world, 51)
    recompress(world, recompress_after=30 * DAY)
    assert codecs(world, warm) == {ZSTD}


def test_that_it_was_read_is_known_after_a_restart(world: World) -> None:
    at(world, 0)
    warm = world.put(text(MIB))
    at(world, 20)
    world.get(warm)
    world.store.note_reads()
    world.restart()
    at(world, 40)
    recompress(world, recompress_after=30 * DAY)
    assert codecs(world, warm) == {LZ4}


def test_neither_scrub_nor_collection_count_as_reading(world: World) -> None:
    at(world, 0)
    content = world.put(text(MIB))
    at(world, 20)
    world.scrub()
    world.collect()
    at(world, 40)
    recompress(world, recompress_after=30 * DAY)
    assert codecs(world, content) == {ZSTD}


def test_what_is_recompressed_is_not_recompressed_again(world: World) -> None:
    world.put(text(MIB) + noise(MIB))
    recompress(world)
    names = world.segments()
    assert "blocks recompressed" not in {step.what for step in recompress(world)}
    assert world.segments() == names


def test_where_another_program_could_not_read_it_nothing_is_recompressed(world: World) -> None:
    content = world.put(text(MIB))
    recompress(world, may_recompress=lambda: False)
    assert codecs(world, content) == {LZ4}


def test_while_a_backup_holds_the_segments_none_is_recompressed(world: World) -> None:
    content = world.put(text(MIB))
    with world.store.hold_segments():
        recompress(world)
    assert codecs(world, content) == {LZ4}


def test_a_reader_goes_on_while_its_blocks_are_recompressed(world: World) -> None:
    data = text(3 * MIB)
    content = world.put(data)
    with world.store.open_content(content) as reader:
        got = reader.read(100 * KIB)
        recompress(world)
        while more := reader.read(100 * KIB):
            got += more
    assert got == data


def test_a_damaged_block_keeps_its_segment_as_it_is(world: World) -> None:
    content = world.put(text(MIB))
    (path,) = world.segments()
    hurt = bytearray(path.read_bytes())
    hurt[len(hurt) // 2] ^= 1
    path.write_bytes(hurt)
    recompress(world)
    assert codecs(world, content) == {LZ4} and world.index.maintenance.damaged_blocks(10)


def test_the_same_image_again_costs_nothing_when_it_is_recompressed(world: World) -> None:
    data = text(2 * MIB)
    world.put(data)
    recompress(world)
    before = world.index.maintenance.totals().stored
    again = world.put(data)
    assert world.index.maintenance.totals().stored == before and world.get(again) == data


def test_a_thin_segment_of_recompressed_blocks_is_rewritten_as_one(tmp_path: Path) -> None:
    with world_in(tmp_path / "w") as world:
        gone = world.put(text(MIB))
        stays = world.put(text(300 * KIB, 5))
        recompress(world)
        world.delete(gone)
        world.collect()
        assert world.get(stays) == text(300 * KIB, 5)
        assert codecs(world, stays) == {ZSTD} and versions(world) == {fmt.DENSE_VERSION}
        assert not world.scrub().damaged_segments


def test_what_is_recompressed_and_what_is_not_are_never_in_one_segment_that_is_rewritten(tmp_path: Path) -> None:
    with world_in(tmp_path / "w") as world:
        gone, stays = world.put(text(MIB)), world.put(text(300 * KIB, 5))
        recompress(world)
        gone_too, stays_too = world.put(text(MIB, 8)), world.put(text(300 * KIB, 9))
        for content in (gone, gone_too):
            world.delete(content)
        GarbageCollector(world.store, grace=0, live_percent=100).run()
        assert versions(world) == {fmt.VERSION, fmt.DENSE_VERSION}
        assert world.get(stays) + world.get(stays_too) == text(300 * KIB, 5) + text(300 * KIB, 9)


def test_scrub_finds_damage_in_recompressed_blocks(world: World) -> None:
    content = world.put(text(MIB))
    recompress(world)
    (path,) = world.segments()
    hurt = bytearray(path.read_bytes())
    hurt[len(hurt) // 2] ^= 1
    path.write_bytes(hurt)
    assert world.scrub().contents == {content}


def test_a_rebuild_reads_recompressed_segments(tmp_path: Path) -> None:
    data = text(2 * MIB) + noise(100 * KIB)
    with world_in(tmp_path / "w") as world:
        world.put(data)
        recompress(world)
        world.store.close()
        world.db.close()
        for path in (tmp_path / "w").glob("appliance.db*"):
            path.unlink()
        world.db = open_database(tmp_path / "w" / "appliance.db")
        world.index = BlockIndex(world.db)
        world.store = BlobStore(world.backend, world.index)
        world.store.open(lost_index=True)
        Rebuilder(world.store).run()
        (row,) = world.index.maintenance.contents()
        assert world.get(row.id) == data
        assert all(segment.dense for segment in world.index.maintenance.segments())


def test_blocks_are_sent_in_a_form_that_every_version_reads(world: World) -> None:
    data = text(MIB) + noise(100 * KIB)
    content = world.put(data)
    recompress(world)
    blocks = world.store.stored_blocks(content)
    count = sum(1 for span in blocks.spans() if span.segment)
    sent = list(blocks.at(range(count)))
    lengths = list(blocks.lengths(range(count)))
    blocks.close()
    assert {block.codec for block in sent} == {RAW, LZ4}
    assert lengths == [len(block.data) for block in sent]
    assert b"".join(bytes(block.plain()) for block in sent) == data


def test_a_block_of_zstd_that_comes_is_refused() -> None:
    plain = text(64 * KIB)
    sent = StoredBlock(block_digest(plain), len(plain), ZSTD, zstandard.ZstdCompressor().compress(plain))
    with pytest.raises(Corrupt, match="form"):
        sent.plain()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_between_passes_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)
    with world_in(tmp_path / "w", limits=SMALL) as world:
        stored: dict[int, bytes] = {}
        for _ in range(25):
            act = luck.choice(["put", "put", "put", "delete", "recompress", "collect", "scrub", "restart", "read"])
            if act == "put":
                pieces = [text(luck.randrange(1, 200 * KIB), luck.randrange(4)), noise(luck.randrange(90 * KIB), 1)]
                data = b"".join(luck.sample([*pieces, bytes(70 * KIB)], luck.randint(1, 3)))
                stored[world.put(data)] = data
            elif act == "delete" and stored:
                gone = luck.choice(list(stored))
                del stored[gone]
                world.delete(gone)
            elif act == "recompress":
                recompress(world, live_percent=luck.choice([0, 50, 95]))
            elif act == "collect":
                world.collect()
            elif act == "scrub":
                report = world.scrub()
                assert not report.damaged_blocks and not report.damaged_segments
            elif act == "restart":
                world.restart()
            elif stored:
                one = luck.choice(list(stored))
                assert world.get(one) == stored[one]
        for one, data in stored.items():
            assert world.get(one) == data


def test_the_ratio_of_what_the_corpus_is_made_of() -> None:
    """Program text: zstd takes four fifths of lz4 or less."""
    source = b"".join(path.read_bytes() for path in sorted(Path(random.__file__).parent.glob("*.py")))[: 4 * MIB]
    blocks = [source[start : start + 70_000] for start in range(0, len(source), 70_000)]
    encoder = DenseEncoder()
    packed = lz4_length = 0
    for block in blocks:
        stored = lz4.block.compress(block, store_size=False)
        lz4_length += len(stored)
        packed += len(encoder.encode(block, LZ4, stored)[1])
    assert packed <= 0.8 * lz4_length

"""Bundles that are damaged, or made to do harm: each is refused with one sentence, and nothing is different then."""

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Callable

import pytest

from appliance.blobs import segment_format as fmt
from appliance.blobs.codec import block_digest
from appliance.blobs.delivery import StoredBlock
from appliance.errors import ApplianceError, Conflict, Corrupt, Forbidden, Invalid, UnsupportedFormat
from appliance.fleet.bundle_writer import KIND, segment_of
from appliance.fleet.keys import canonical
from tests.data_directory import ADMIN, data
from tests.fleet.sites import Site, document, members, packed

Parts = dict[str, bytes]


@pytest.fixture
def good(center: Site) -> bytes:
    center.add(data(), "debian")
    center.publish()
    return center.bundle()


def refused(edge: Site, bundle: bytes, origin: Site, kind: type[ApplianceError], sentence: str) -> None:
    """Refused so, and nothing of it is here but blocks that need not come again."""
    with pytest.raises(kind, match=sentence):
        edge.take(bundle, origin)
    assert not edge.ids() and not edge.fleet.context.rows.feeds() and not edge.findings()


def indexed(parts: Parts) -> Parts:
    """The members with an index that fits them: whoever makes a bundle can make that."""
    sums = [f"{hashlib.sha512(body).hexdigest()}  {name}\n" for name, body in parts.items() if name != "SHA512SUMS"]
    return {
        **{name: body for name, body in parts.items() if name != "SHA512SUMS"},
        "SHA512SUMS": "".join(sums).encode(),
    }


def signed_by(site: Site, parts: Parts, **values: object) -> Parts:
    """The same with another `bundle.json`, signed by a site of its own."""
    text = canonical({**json.loads(parts["bundle.json"]), **values, "site": site.fleet.key.public})
    made = {"bundle.json": text.encode(), "bundle.sig": site.fleet.key.sign(KIND, text).encode()}
    return {**parts, **made}


def test_every_flipped_byte_is_noticed(center: Site, edge: Site, good: bytes) -> None:
    """One in each member and each header, and some more; padding alone may be anything."""
    noticed = 0
    with tarfile.open(fileobj=io.BytesIO(good)) as archive:
        places = [
            place
            for info in archive
            for place in (info.offset + 150, info.offset_data, info.offset_data + info.size // 2)
        ]
    for place in places:
        torn = bytearray(good)
        torn[place] ^= 0x10
        with pytest.raises(ApplianceError) as error:
            edge.take(bytes(torn), center)
        assert "\n" not in str(error.value)
        noticed += not edge.ids() and not edge.fleet.context.rows.feeds()
    assert noticed == len(places) and not edge.findings()


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "segments/../x", "segments//x", "./bundle.json"])
def test_a_path_in_a_members_name_leads_nowhere(center: Site, edge: Site, good: bytes, name: str) -> None:
    parts = members(good)
    evil = {name: parts.pop("bundle.json"), **parts}
    refused(edge, packed(evil), center, Invalid, "a bundle has no member like|where bundle.json should be")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.XHDTYPE])
def test_a_member_that_is_no_plain_file_is_refused(center: Site, edge: Site, good: bytes, kind: bytes) -> None:
    bundle = packed(members(good), type=kind, linkname="x" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "")
    refused(edge, bundle, center, Invalid, "a bundle has no member like")


def test_a_header_that_claims_to_be_huge_is_not_read(center: Site, edge: Site) -> None:
    info = tarfile.TarInfo("bundle.json")
    info.size = 7 << 30
    refused(edge, info.tobuf(tarfile.USTAR_FORMAT), center, Invalid, "larger than it can be")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 7}', "[" * 100_000])
def test_what_is_no_bundle_is_refused(center: Site, edge: Site, good: bytes, text: str) -> None:
    parts = {**members(good), "bundle.json": text.encode()}
    refused(edge, packed(parts), center, Invalid, "bundle")


def test_an_entry_of_somebody_else_is_refused(center: Site, edge: Site, third: Site, good: bytes) -> None:
    parts = members(good)
    entry = json.loads(parts["entries.jsonl"])
    forged = {**entry, "signature": third.fleet.key.sign("feed entry", entry["entry"])}
    parts = indexed(signed_by(third, {**parts, "entries.jsonl": json.dumps(forged).encode()}))
    refused(edge, packed(parts), center, Forbidden, "the signature of the feed entry")


def test_a_signature_for_another_purpose_serves_not(center: Site, edge: Site, third: Site, good: bytes) -> None:
    parts = members(good)
    entry = json.loads(parts["entries.jsonl"])
    other = {**entry, "signature": center.fleet.key.sign("receipt", entry["entry"])}
    parts = indexed(signed_by(third, {**parts, "entries.jsonl": json.dumps(other).encode()}))
    refused(edge, packed(parts), center, Forbidden, "the signature of the feed entry")


def test_the_header_of_a_bundle_is_signed(center: Site, edge: Site, good: bytes) -> None:
    parts = members(good)
    text = canonical({**json.loads(parts["bundle.json"]), "at": 1})
    refused(
        edge, packed(indexed({**parts, "bundle.json": text.encode()})), center, Forbidden, "signature of the bundle"
    )


def test_a_block_map_that_no_entry_names_is_refused(center: Site, edge: Site, third: Site, good: bytes) -> None:
    parts = indexed(signed_by(third, members(good), maps=["0" * 64]))
    refused(edge, packed(parts), center, Invalid, "a block map that no entry names")


def test_another_block_map_is_refused(center: Site, edge: Site, third: Site, good: bytes) -> None:
    parts = members(good)
    name = next(name for name in parts if name.endswith(".map"))
    parts[name] = parts[name][:-32] + bytes(32)
    refused(edge, packed(indexed(parts)), center, Invalid, "not the one that the manifest names")


def _with_segment(parts: Parts, segment: bytes) -> bytes:
    return packed(indexed({**parts, "segments/000000.seg": segment}))


def _blocks(parts: Parts) -> list[StoredBlock]:
    segment, at, found = parts["segments/000000.seg"], fmt.HEADER_LENGTH, []
    header = fmt.unpack_record_header(segment[at : at + fmt.RECORD_LENGTH])
    table = segment[at + fmt.RECORD_LENGTH :][: header.table_length]
    at += fmt.RECORD_LENGTH + header.table_length
    for entry in fmt.unpack_blocks(table):
        found.append(StoredBlock(entry.digest, entry.length, entry.codec, segment[at : at + entry.stored]))
        at += entry.stored
    return found


def _other_bytes(block: StoredBlock) -> StoredBlock:
    return block._replace(codec=0, data=bytes(block.length))


def _bomb(block: StoredBlock) -> StoredBlock:
    return block._replace(length=2**32 - 1)


def _unknown_codec(block: StoredBlock) -> StoredBlock:
    return block._replace(codec=9)


def _another_block(block: StoredBlock) -> StoredBlock:
    return StoredBlock(block_digest(b"other"), 5, 0, b"other")


@pytest.mark.parametrize("spoil", [_other_bytes, _bomb, _unknown_codec, _another_block])
def test_a_wrong_block_is_refused(
    center: Site, edge: Site, good: bytes, spoil: Callable[[StoredBlock], StoredBlock]
) -> None:
    parts = members(good)
    first, *rest = _blocks(parts)
    bundle = _with_segment(parts, b"".join(segment_of([spoil(first), *rest], 0)))
    refused(edge, bundle, center, Corrupt, "block")


def test_blocks_without_end_are_refused(center: Site, edge: Site, good: bytes) -> None:
    parts = members(good)
    blocks = _blocks(parts)
    refused(
        edge, _with_segment(parts, b"".join(segment_of(blocks * 3, 0))), center, Corrupt, "other blocks than it names"
    )


def test_fewer_blocks_are_refused(center: Site, edge: Site, good: bytes) -> None:
    parts = members(good)
    bundle = _with_segment(parts, b"".join(segment_of(_blocks(parts)[:-1], 0)))
    refused(edge, bundle, center, Corrupt, "fewer blocks than it names")


def test_a_record_that_claims_to_be_huge_is_not_read(center: Site, edge: Site, good: bytes) -> None:
    parts = members(good)
    head = fmt.pack_record(fmt.BLOCKS, b"", 1 << 40)
    segment = parts["segments/000000.seg"][: fmt.HEADER_LENGTH] + head
    refused(edge, _with_segment(parts, segment), center, Corrupt, "not a record of blocks")


def test_an_old_bundle_played_again_changes_nothing(center: Site, edge: Site) -> None:
    image_id = center.add(data(), "debian")
    center.publish()
    old = center.bundle()
    edge.take(old, center)
    center.change(image_id, name="renamed")
    edge.take(center.bundle())
    assert edge.take(old).position == 2 and edge.get(image_id).name == "renamed"


def test_another_past_of_a_feed_is_refused(center: Site, edge: Site, good: bytes) -> None:
    """A site that was restored from an older backup signs other entries under numbers that it has used."""
    edge.take(good, center)
    center.db.transact(lambda tx: center.fleet.context.rows.remove_feed(tx, "golden"))
    center.publish()
    with pytest.raises(Conflict, match="entry 1 of the feed is another than the one that came before"):
        edge.take(center.bundle())
    assert len(edge.ids()) == 1


def test_an_origin_that_tells_a_wrong_hash_is_refused(center: Site, edge: Site) -> None:
    center.add(data())
    center.db.transact(lambda tx: tx.execute("UPDATE images SET os_hash_value = ?", ("ab" * 64,)))
    center.publish()
    refused(edge, center.bundle(), center, Invalid, "its hashes are others")


def test_an_origin_that_sends_an_unsafe_disk_is_refused(center: Site, edge: Site) -> None:
    """A qcow2 with a backing file would have a hypervisor read the host's own files."""
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 104, 5, 16, 1 << 20, 0, 1, 196608, 65536, 1, 0, 0)
    header += struct.pack(">QQQII", 0, 0, 0, 4, 104) + b"/etc/"
    body = {"name": "x", "disk_format": "qcow2", "container_format": "ovf", "visibility": "public"}
    image = center.images.create(ADMIN, body)
    center.images.data.upload(ADMIN, image.id, io.BytesIO(header.ljust(262144, b"\0")))
    center.db.transact(lambda tx: tx.execute("UPDATE images SET container_format = 'bare'"))
    center.publish()
    refused(edge, center.bundle(), center, UnsupportedFormat, "safety checks")


def test_a_property_of_the_services_own_is_refused(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    sql = "INSERT INTO image_properties (image_id, name, value) VALUES (?, 'self', 'x')"
    center.db.transact(lambda tx: tx.execute(sql, (image_id,)))
    center.publish()
    refused(edge, center.bundle(), center, Invalid, "is read-only")


def test_a_site_does_not_import_its_own_feed(center: Site, good: bytes) -> None:
    with pytest.raises(Conflict, match="of this very site"):
        center.take(good, center)
    assert document(good)["feed"] == "golden"

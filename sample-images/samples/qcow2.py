"""Write a raw disk as a qcow2 file, version 3: clusters of 64 KiB, empty ones left out, the same bytes every time.

The file's order is header, reference counts, first-level table, second-level tables, data.
"""

import struct
from pathlib import Path

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
TABLE_ENTRIES = CLUSTER // 8
COUNTS_PER_BLOCK = CLUSTER // 2
# Set in a table entry whose cluster has exactly one user, which is every one here.
SINGLE_USER = 1 << 63
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
HEADER_LENGTH = 104


def convert(raw: Path, target: Path) -> None:
    """Write `target` as the qcow2 form of the disk in `raw`, whose size is a multiple of 512."""
    size = raw.stat().st_size
    if size % 512:
        raise ValueError(f"{raw} has {size} bytes, which is no whole number of sectors")
    guest_clusters = -(-size // CLUSTER)
    with raw.open("rb") as disk:
        used = [number for number in range(guest_clusters) if any(disk.read(CLUSTER))]
        tables = -(-guest_clusters // TABLE_ENTRIES)
        count_blocks = 1
        while True:
            total = 1 + 1 + count_blocks + 1 + tables + len(used)
            if total <= count_blocks * COUNTS_PER_BLOCK:
                break
            count_blocks += 1
        if tables > TABLE_ENTRIES or count_blocks > TABLE_ENTRIES:
            raise ValueError(f"{raw} is too large for the one-cluster tables written here")
        first_level = 2 + count_blocks
        first_data = first_level + 1 + tables
        with target.open("wb") as out:
            out.write(_padded(_header(size, tables, first_level)))
            out.write(_table([(2 + block) * CLUSTER for block in range(count_blocks)]))
            counts = struct.pack(">H", 1) * total
            out.write(counts.ljust(count_blocks * CLUSTER, b"\0"))
            out.write(_table([(first_level + 1 + table) * CLUSTER | SINGLE_USER for table in range(tables)]))
            place = {number: first_data + index for index, number in enumerate(used)}
            for table in range(tables):
                numbers = range(table * TABLE_ENTRIES, (table + 1) * TABLE_ENTRIES)
                out.write(_table([place[n] * CLUSTER | SINGLE_USER if n in place else 0 for n in numbers]))
            for number in used:
                disk.seek(number * CLUSTER)
                out.write(_padded(disk.read(CLUSTER)))


def _header(size: int, tables: int, first_level: int) -> bytes:
    no_backing = no_snapshots = (0, 0)
    no_encryption = 0
    no_features = (0, 0, 0)
    counts_of_16_bits = 4
    return HEADER.pack(
        b"QFI\xfb",
        3,
        *no_backing,
        CLUSTER_BITS,
        size,
        no_encryption,
        tables,
        first_level * CLUSTER,
        CLUSTER,
        1,
        *no_snapshots,
        *no_features,
        counts_of_16_bits,
        HEADER_LENGTH,
    )


def _table(entries: list[int]) -> bytes:
    return _padded(struct.pack(f">{len(entries)}Q", *entries))


def _padded(data: bytes) -> bytes:
    return data.ljust(CLUSTER, b"\0")

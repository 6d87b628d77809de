"""A process to be killed: uploads, deletes, collects and scrubs, and says on stdout what it has acknowledged."""

import random
import sys
import threading
from pathlib import Path

from appliance.blobs.block_writer import Limits
from appliance.blobs.garbage_collection import GarbageCollector
from appliance.blobs.scrub import Scrubber
from appliance.values import KIB
from tests.blobs.world import World, noise, text

PARTS = [noise(150 * KIB, seed) for seed in range(6)] + [text(120 * KIB, seed) for seed in range(4)] + [bytes(80 * KIB)]


def data_of(seed: int) -> bytes:
    """What the upload of that seed consists of."""
    luck = random.Random(seed)
    return b"".join(luck.choices(PARTS, k=luck.randint(1, 9)))


def say(*words: object) -> None:
    print(*words, flush=True)


def main() -> None:
    directory, seed = Path(sys.argv[1]), int(sys.argv[2])
    world = World(directory, limits=Limits(segment=400 * KIB, items=40))
    luck = random.Random(seed)

    def maintenance() -> None:
        while True:
            recompress_after = luck.choice([None, -1])
            GarbageCollector(
                world.store, grace=0, live_percent=luck.choice([0, 50, 95]), recompress_after=recompress_after
            ).run()
            Scrubber(world.store, interval=0).run()

    threading.Thread(target=maintenance, daemon=True).start()
    stored: list[int] = [row.id for row in world.index.maintenance.contents()]
    say("ready")
    for number in range(seed * 1000, seed * 1000 + 1000):
        say("uploading", number)
        content = world.put(data_of(number), label=str(number).encode())
        say("stored", content, number)
        stored.append(content)
        if len(stored) > 8:
            gone = stored.pop(luck.randrange(len(stored)))
            say("deleting", gone)
            world.delete(gone)
            say("deleted", gone)


if __name__ == "__main__":
    main()

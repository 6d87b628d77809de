"""Two nodes of one appliance, with the console, until standard input ends: `two_nodes DIRECTORY`.

It is run by the Python that has what nodes need, for tests whose own has a browser's driver instead. Says in a line of
JSON where they are, or in a sentence why there are none.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.api.served import PASSWORD
from tests.blobs.backends.seaweed import seaweed, weed
from tests.nodes.site import Site
from tests.postgresql import programs


def main() -> None:
    """Serve until nobody wants it any more."""
    directory = Path(sys.argv[1])
    if weed() is None or programs() is None:
        print("nodes need PostgreSQL and SeaweedFS", flush=True)
        return
    (objects := directory / "objects").mkdir()
    with ExitStack() as held:
        store = held.enter_context(seaweed(objects))
        site = Site(directory, store, store.bucket())
        held.callback(site.close)
        first = site.start("one", console=True, collect_interval=300)
        site.start("two", console=True)
        print(json.dumps({"image": first.report.image_url, "password": PASSWORD}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()

"""An image's data on its way from one cloud to another, through this machine and checked on the way."""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

from appliance.cli.client.calls import Unreachable
from appliance.cli.client.download import blocks, matches, new_digest
from appliance.cli.client.session import Session
from appliance.cli.client.upload import Input
from appliance.errors import Fatal

_TRIES = 5
_PAUSE = 0.2


class FromCloud(Input):
    """The data of an image of another cloud, as something that can be sent.

    The last block is held back until the digest of all of them is right: data that came out wrong never arrives
    whole, and the service that receives it throws it away.
    """

    def __init__(self, source: Session, image: dict[str, Any]) -> None:
        self.name = image["name"] or image["id"]
        self.size = image.get("size")
        self.digest = hashlib.sha512()
        self._image = image
        self._check = new_digest(image)
        self._blocks = _steady(source, image)
        self._held = b""
        self._started = False

    def read(self) -> bytes:
        """The next bytes; empty at the end. Raises `Fatal` if the data is not what its image says."""
        if not self._started:
            self._started = True
            self._held = self._next()
        block, self._held = self._held, self._next() if self._held else b""
        if block and not self._held and not matches(self._image, self._check):
            raise Fatal("the data that came does not match the image's digest")
        self.digest.update(block)
        return block

    def _next(self) -> bytes:
        block = next(self._blocks, b"")
        self._check.update(block)
        return block


def _steady(source: Session, image: dict[str, Any]) -> Iterator[bytes]:
    """All blocks. A connection that breaks is made anew, until several in a row have brought nothing."""
    size, done, tries = image.get("size"), 0, 0
    while size is None or done < size:
        before = done
        try:
            for block in blocks(source, image["id"], done):
                done += len(block)
                yield block
            if size is None or done >= size:
                return
            raise Unreachable(f"the server broke off after {done} of {size} bytes")
        except Unreachable:
            tries = 1 if done > before else tries + 1
            if tries >= _TRIES or size is None:
                raise
            time.sleep(_PAUSE * tries)

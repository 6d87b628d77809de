"""The check of bytes that come from elsewhere against what the image says of them."""

import hashlib

from appliance.db.images import ImageRecord
from appliance.errors import Corrupt


class ImageDigest:
    """The best digest that the image has; one without any lets everything pass."""

    def __init__(self, image: ImageRecord) -> None:
        self._expected: str | None = None
        algorithm = image.os_hash_algo or "md5"
        if image.os_hash_value and algorithm in hashlib.algorithms_available:
            self._expected = image.os_hash_value
        elif image.checksum:
            algorithm, self._expected = "md5", image.checksum
        self._hash = hashlib.new(algorithm if self._expected else "md5", usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """The next bytes."""
        if self._expected is not None:
            self._hash.update(data)

    def check(self) -> None:
        """All bytes have come. Raises `Corrupt`."""
        if self._expected is not None and self._hash.hexdigest() != self._expected.lower():
            raise Corrupt("The data is not what the image's digest says.")

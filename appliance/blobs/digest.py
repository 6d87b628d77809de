"""The name of a block: the BLAKE3 digest of its bytes, which is also its check. Nothing else imports blake3."""

from blake3 import blake3

DIGEST_LENGTH = 32


def block_digest(data: bytes | bytearray | memoryview) -> bytes:
    """32 bytes that name the block. Lets other threads run while it works on anything sizeable."""
    return blake3(data).digest()

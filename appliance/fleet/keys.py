"""The key of a site, by which others know it, and the documents that it signs.

A signature is over the kind of the document and its bytes, so that one made for one purpose serves no other.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.errors import Fatal, Forbidden, Invalid

_KEY = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def canonical(document: Any) -> str:
    """The one text of a document of JSON that is signed and hashed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def fingerprint(key: str) -> str:
    """What people compare: 32 hexadecimal digits of the hash of a public key, in groups of four."""
    digits = hashlib.sha256(bytes.fromhex(key)).hexdigest()[:32]
    return "-".join(digits[start : start + 4] for start in range(0, 32, 4))


def read_fingerprint(text: str) -> str:
    """A fingerprint as somebody typed it. Raises `Invalid`."""
    digits = re.sub(r"[-:\s]", "", text).lower()
    if not _FINGERPRINT.fullmatch(digits):
        raise Invalid(f"{text} is not a fingerprint: it has 32 hexadecimal digits, as `peer show` prints them")
    return "-".join(digits[start : start + 4] for start in range(0, 32, 4))


def check_key(key: Any) -> str:
    """A public key as 64 hexadecimal digits. Raises `Invalid`."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise Invalid("a public key has 64 hexadecimal digits")
    return key


def verify(key: str, kind: str, document: str, signature: Any) -> None:
    """Raise `Forbidden` unless the owner of the key signed this document as one of this kind."""
    if isinstance(signature, str) and _SIGNATURE.fullmatch(signature):
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(check_key(key)))
            public.verify(bytes.fromhex(signature), _signed(kind, document))
            return
        except (InvalidSignature, ValueError):
            pass
    raise Forbidden(f"the signature of the {kind} is not that of the site {fingerprint(check_key(key))}")


def readable(text: Any) -> str:
    """What another site has written, as a part of a sentence of ours: short, with nothing that steers a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text)[:500])


class SiteKey:
    """The key of this site. Made when it is first asked for; a copy of the data directory is the same site."""

    def __init__(self, keys: Path | None) -> None:
        """With no directory of keys it is a key for the moment."""
        self._file = (keys or Path()) / "fleet" / "site.pem"
        self._private = None if keys else Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """The public key, as 64 hexadecimal digits."""
        raw = self._key().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return raw.hex()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)

    def sign(self, kind: str, document: str) -> str:
        return self._key().sign(_signed(kind, document)).hex()

    def _key(self) -> Ed25519PrivateKey:
        if self._private is None:
            self.make_missing()
            self._private = self._load()
        return self._private

    def make_missing(self) -> None:
        """Have the file now: before it is shared with the other nodes of the site."""
        if self._file.is_file():
            return
        disk = Disk()
        for directory in (self._file.parent.parent, self._file.parent):
            ensure_directory(disk, directory)
        encoded = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        replace_file(disk, self._file, encoded)

    def _load(self) -> Ed25519PrivateKey:
        try:
            key = serialization.load_pem_private_key(self._file.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise Fatal(f"the key of this site, {self._file}, can't be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Fatal(f"{self._file} is not an Ed25519 key")
        return key


def _signed(kind: str, document: str) -> bytes:
    return f"glance-appliance {kind}\n{document}".encode()

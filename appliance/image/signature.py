"""Checks of an image's bytes: digests of the store, signatures of their owner."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa, utils

from appliance.db.image.images import ImageRecord
from appliance.errors import Corrupt, Invalid
from appliance.settings import Settings
from appliance.values import is_uuid


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


SIGNATURE = "img_signature"
HASH_METHOD = "img_signature_hash_method"
KEY_TYPE = "img_signature_key_type"
CERTIFICATE = "img_signature_certificate_uuid"
PROPERTIES = (SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE)

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA-224": hashes.SHA224,
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}
_CURVES = ("SECT571K1", "SECT409K1", "SECT571R1", "SECT409R1", "SECP521R1", "SECP384R1")
_KEY_TYPES = ("RSA-PSS", "DSA", *(f"ECC_{curve}" for curve in _CURVES))
_ENDINGS = ("", ".pem", ".crt", ".cer", ".der")
_LARGEST = 64 * 1024


class Signatures:
    """Makes the verifier of an image, if it is signed."""

    def __init__(self, settings: Settings) -> None:
        place = settings.signature_certificates_dir
        self._directory = Path(place) if place else None

    def verifier(self, image: ImageRecord) -> "Verifier | None":
        """None unless the image has all the properties of a signature. Raises `Invalid` if they can't be meant."""
        told = {name: image.properties.get(name) for name in PROPERTIES}
        if any(told[name] is None for name in PROPERTIES):
            return None
        method, kind = str(told[HASH_METHOD]), str(told[KEY_TYPE])
        if method not in _HASHES:
            raise _failed(f"the hash method {method} is none of {', '.join(_HASHES)}")
        if kind not in _KEY_TYPES:
            raise _failed(f"the key type {kind} is none of {', '.join(_KEY_TYPES)}")
        try:
            signature = base64.b64decode(str(told[SIGNATURE]), validate=True)
        except (binascii.Error, ValueError) as error:
            raise _failed("the signature is not base64") from error
        return Verifier(self._key(str(told[CERTIFICATE]), kind), kind, signature, _HASHES[method]())

    def _key(self, certificate_id: str, kind: str) -> Any:
        certificate = self._certificate(certificate_id)
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise _failed(f"the certificate {certificate_id} is not valid now")
        key = certificate.public_key()
        if _kind_of(key) != kind:
            raise _failed(f"the key of the certificate {certificate_id} is not of the type {kind}")
        return key

    def _certificate(self, certificate_id: str) -> "x509.Certificate":
        """A file of the operator's, named by the id; whatever else the text may be, it reaches no other file."""
        data = b""
        if self._directory is not None and is_uuid(certificate_id) and certificate_id.replace("-", "").isalnum():
            files = (self._directory / f"{certificate_id}{ending}" for ending in _ENDINGS)
            data = next((_read(file) for file in files if file.is_file()), b"")
        if not data:
            raise _failed(f"there is no certificate {certificate_id}")
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in data else x509.load_der_x509_certificate
        try:
            return load(data)
        except ValueError as error:
            raise _failed(f"the certificate {certificate_id} can't be read") from error


class Verifier:
    """Sees an image's bytes go by, and says at their end whether they are those that were signed."""

    def __init__(self, key: Any, kind: str, signature: bytes, algorithm: hashes.HashAlgorithm) -> None:
        self._key = key
        self._kind = kind
        self._signature = signature
        self._algorithm = algorithm
        self._hash = hashes.Hash(algorithm)

    def write(self, chunk: bytes, /) -> None:
        """The next bytes."""
        self._hash.update(chunk)

    def verify(self) -> None:
        """All bytes have come. Raises `Invalid`."""
        prehashed = utils.Prehashed(self._algorithm)
        scheme: tuple[Any, ...] = (ec.ECDSA(prehashed),)
        if self._kind == "RSA-PSS":
            scheme = (padding.PSS(padding.MGF1(self._algorithm), padding.PSS.MAX_LENGTH), prehashed)
        elif self._kind == "DSA":
            scheme = (prehashed,)
        try:
            self._key.verify(self._signature, self._hash.finalize(), *scheme)
        except InvalidSignature as error:
            raise _failed("the data is not what was signed") from error


def _kind_of(key: Any) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA-PSS"
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECC_{key.curve.name.upper()}"
    return ""


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST)
    except OSError:
        return b""


def _failed(reason: str) -> Invalid:
    return Invalid(f"Signature verification failed: {reason}.")

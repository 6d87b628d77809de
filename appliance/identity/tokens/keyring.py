"""The keys that sign tokens, and the key that seals stored secrets."""

import hashlib
import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.types import Options

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.errors import Corrupt, Fatal, Unauthenticated
from appliance.values import Micros

log = logging.getLogger(__name__)

ALGORITHM = "ES256"
_MAX_TOKEN = 8192
_OUR_NAME = re.compile(r"made-(\d{20})-[0-9a-f]{8}\.pem")
_LENIENT: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}


class Keyring:
    """Signs claims with one P-256 key and verifies with many."""

    def __init__(self, directory: Path, now: Micros) -> None:
        self._directory = directory
        self._disk = Disk()
        self._lock = threading.Lock()
        self.refresh: Callable[[], bool] = lambda: False
        """Looks whether others have new keys; called for a token that none of ours has signed."""
        ensure_directory(self._disk, directory)
        ensure_directory(self._disk, directory / "public")
        if not self._private_file.is_file():
            self._make_pair(now)
        self._load()

    @property
    def _private_file(self) -> Path:
        return self._directory / "private.pem"

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._private, algorithm=ALGORITHM)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims, if one of our keys signed them. Times are the caller's to check. Raises `Unauthenticated`."""
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise Unauthenticated("This is no token.")
        claims = self._verified(token)
        # Another thread may have found the new keys first, and not have read them yet.
        if claims is None and (self.refresh() or self._public_files() != self._files):
            try:
                self.reload()
            except Fatal as error:
                log.error("%s", error)
            claims = self._verified(token)
        if claims is None:
            raise Unauthenticated("The token was not signed here.")
        return claims

    def _verified(self, token: str) -> dict[str, Any] | None:
        for key in self._public:
            try:
                claims: dict[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM], options=_LENIENT)
                return claims
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError) as error:
                raise Unauthenticated("This is no token.") from error
        return None

    def rotate(self, now: Micros, retain: Micros) -> None:
        """Sign with a new key from now on; drop our own keys that were replaced more than `retain` ago."""
        with self._lock:
            self._make_pair(now)
            ours = sorted(f for f in (self._directory / "public").iterdir() if _OUR_NAME.fullmatch(f.name))
            for file, successor in zip(ours, ours[1:], strict=False):
                match = _OUR_NAME.fullmatch(successor.name)
                if match and int(match[1]) < now - retain:
                    self._disk.unlink(file)
            self._load()

    def age(self, now: Micros) -> Micros:
        """How long the newest of our own keys has been in use."""
        made = [
            int(match[1])
            for file in (self._directory / "public").iterdir()
            if (match := _OUR_NAME.fullmatch(file.name))
        ]
        return now - max(made, default=now)

    def reload(self) -> None:
        """Read the directory again, after someone else has changed it."""
        with self._lock:
            self._load()

    def public_pems(self) -> list[str]:
        """What someone else needs in order to verify our tokens."""
        return [file.read_text() for file in sorted((self._directory / "public").glob("*.pem"))]

    def _make_pair(self, now: Micros) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        mark = hashlib.sha256(public).hexdigest()[:8]
        replace_file(self._disk, self._directory / "public" / f"made-{now:020d}-{mark}.pem", public)
        replace_file(self._disk, self._private_file, private)

    def _load(self) -> None:
        try:
            private = serialization.load_pem_private_key(self._private_file.read_bytes(), password=None)
            # The newest first: it has signed most of what is about. Noted before they are read, so that a damaged one
            # is told of once.
            self._files = self._public_files()
            public = [serialization.load_pem_public_key(file.read_bytes()) for file in self._files]
        except (OSError, ValueError) as error:
            raise Fatal(f"the token keys in {self._directory} can't be read: {error}") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise Fatal(f"{self._private_file} is not a P-256 key")
        self._private = private
        self._public = [key for key in public if isinstance(key, ec.EllipticCurvePublicKey)]

    def _public_files(self) -> list[Path]:
        return sorted((self._directory / "public").glob("*.pem"), reverse=True)


class Sealer:
    """Encrypts with the first key of `credential-keys` and opens with any. The file is made with the directory, so
    that no copy of the rows is older than their key."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "credential-keys"
        if not self._file.is_file():
            ensure_directory(Disk(), directory)
            replace_file(Disk(), self._file, Fernet.generate_key() + b"\n")
        self.reload()

    def reload(self) -> None:
        """Read the file again, after someone else has changed it."""
        try:
            self._keys = MultiFernet([Fernet(line) for line in self._file.read_bytes().split()])
        except (OSError, ValueError) as error:
            raise Fatal(f"{self._file} can't be read: {error}") from error

    def seal(self, text: str) -> str:
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises `Corrupt` if no key of ours sealed it."""
        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Corrupt("A credential can't be opened: its key is missing.") from error

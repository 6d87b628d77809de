"""Seals what is stored but must be read again, such as the secrets of EC2 credentials, so that rows alone give no
secret away."""

import threading
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.errors import Corrupt, Fatal


class Sealer:
    """Encrypts with the first key of `credential-keys` and opens with any. The file is made when first needed."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "credential-keys"
        self._lock = threading.Lock()
        self._keys: MultiFernet | None = None

    def seal(self, text: str) -> str:
        return self._loaded().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises `Corrupt` if no key of ours sealed it."""
        try:
            return self._loaded().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Corrupt("A credential can't be opened: its key is missing.") from error

    def _loaded(self) -> MultiFernet:
        with self._lock:
            if self._keys is None:
                if not self._file.is_file():
                    ensure_directory(Disk(), self._file.parent)
                    replace_file(Disk(), self._file, Fernet.generate_key() + b"\n")
                try:
                    self._keys = MultiFernet([Fernet(line) for line in self._file.read_bytes().split()])
                except (OSError, ValueError) as error:
                    raise Fatal(f"{self._file} can't be read: {error}") from error
            return self._keys

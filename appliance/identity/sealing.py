"""Seals what is stored but must be read again, such as the secrets of EC2 credentials, so that rows alone give no
secret away."""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.errors import Corrupt, Fatal


class Sealer:
    """Encrypts with the first key of `credential-keys` and opens with any. The file is made with the directory, so
    that no copy of the rows is older than their key."""

    def __init__(self, directory: Path) -> None:
        file = directory / "credential-keys"
        if not file.is_file():
            ensure_directory(Disk(), directory)
            replace_file(Disk(), file, Fernet.generate_key() + b"\n")
        try:
            self._keys = MultiFernet([Fernet(line) for line in file.read_bytes().split()])
        except (OSError, ValueError) as error:
            raise Fatal(f"{file} can't be read: {error}") from error

    def seal(self, text: str) -> str:
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises `Corrupt` if no key of ours sealed it."""
        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Corrupt("A credential can't be opened: its key is missing.") from error

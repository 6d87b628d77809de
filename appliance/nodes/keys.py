"""The keys that all nodes share: those that sign tokens, and those that seal secrets in rows.

They are in the database, sealed under the key of the site, which is in no database. Each node keeps them as files, as
one that is alone does; the database has the last word.
"""

import hashlib
import threading
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from appliance.blobs.durable import Disk, ensure_directory, replace_file
from appliance.db.engine.base import Database, Tx
from appliance.db.nodes import counter, raise_counter
from appliance.db.site_keys import change_keys, read_keys
from appliance.errors import Fatal

_COUNTER = "keys"
_FOLDERS = ("public", "fleet")
"""What is below the directory of keys: public keys of tokens, and the key by which other sites know this one."""


class SiteKey:
    """What the file of the setting `site_key_file` has: keys of Fernet, one a line. The first seals, each opens."""

    def __init__(self, file: Path) -> None:
        try:
            lines = file.read_bytes().split()
            self._keys = MultiFernet([Fernet(line) for line in lines])
        except (OSError, ValueError) as error:
            raise Fatal(
                f"the site's key can't be read from {file}: {error}. Make one with `openssl rand -base64 32 | tr '+/' "
                "'-_'`, and give the same file to all nodes"
            ) from error
        self.throttle_key = hashlib.blake2b(lines[-1], digest_size=16, person=b"throttle").digest()

    def seal(self, data: bytes) -> str:
        return self._keys.encrypt(data).decode()

    def open(self, sealed: str) -> bytes:
        try:
            return self._keys.decrypt(sealed.encode())
        except InvalidToken as error:
            raise Fatal(
                "the keys in the database are sealed under another key than that of site_key_file: give this node the "
                "same file that the others have"
            ) from error


class SharedKeys:
    """The files of one directory, brought in line with the database's."""

    def __init__(self, db: Database, site_key: SiteKey, directory: Path) -> None:
        self._db = db
        self._site_key = site_key
        self._directory = directory
        self._version = -1
        self._last: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def join(self) -> None:
        """Take the database's keys over; what it lacks of the directory's becomes everybody's."""
        self.refresh()
        self.publish()

    def refresh(self) -> bool:
        """Take over what is new in the database; whether anything was. What was changed here is told before."""
        with self._lock:
            version = counter(self._db, _COUNTER)
            if version == self._version:
                return False
            if self._version >= 0:
                self._tell()
            return self._take_over()

    def publish(self) -> bool:
        """Let all have what somebody has changed here; whether anything was."""
        with self._lock:
            told = self._tell()
            if told:
                # Another may have done the same at this moment: now all have both.
                self._take_over()
            return told

    def _tell(self) -> bool:
        """Only what was changed is written: a key that another node has made meanwhile stays."""
        files = self._files()
        changed = {name: data for name, data in files.items() if self._last.get(name) != data}
        removed = self._last.keys() - files.keys()
        if not changed and not removed:
            return False
        sealed = {name: self._site_key.seal(data) for name, data in changed.items()}

        def change(tx: Tx) -> None:
            change_keys(tx, sealed, removed)
            raise_counter(tx, _COUNTER)

        self._db.transact(change)
        return True

    def _take_over(self) -> bool:
        version = counter(self._db, _COUNTER)
        rows = read_keys(self._db)
        if not rows:
            return False
        keys = {name: self._site_key.open(sealed) for name, sealed in rows.items()}
        changed = keys != self._files()
        self._write(keys)
        self._version, self._last = version, keys
        return changed

    def _files(self) -> dict[str, bytes]:
        found = [
            path for pattern in ("*", *(f"{name}/*.pem" for name in _FOLDERS)) for path in self._directory.glob(pattern)
        ]
        return {str(path.relative_to(self._directory)): path.read_bytes() for path in found if path.is_file()}

    def _write(self, keys: dict[str, bytes]) -> None:
        """The public ones first: whoever signs with a private one must be believed."""
        disk = Disk()
        folders = [self._directory, *(self._directory / name for name in _FOLDERS)]
        for folder in folders:
            ensure_directory(disk, folder)
        for name, data in sorted(keys.items(), key=lambda item: not item[0].startswith("public/")):
            path = self._directory / name
            if path.parent not in folders:
                raise Fatal(f"the database has a key with the name {name}, which is none of ours")
            if not path.is_file() or path.read_bytes() != data:
                replace_file(disk, path, data)
        # Tokens of a key that was dropped are good nowhere. Other keys are never dropped, and what the database lacks
        # of them it has yet to get.
        for name in self._files().keys() - keys.keys():
            if name.startswith("public/"):
                disk.unlink(self._directory / name)

"""The files that imports need on their way: removed at the start, and never so many that uploads suffer."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.errors import StorageFault, StorageFull
from appliance.settings import Settings

log = logging.getLogger(__name__)

_PREFIX = "import-"


class Workspace:
    """A folder for each import that needs one, and one bound for all of them."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.data_dir / "tmp"
        self._most = settings.import_workspace_size

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """A folder of one's own, gone at the end of the block."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = TemporaryDirectory(prefix=_PREFIX, dir=self.path, ignore_cleanup_errors=True)
        except OSError as error:
            raise StorageFault(f"no folder can be made in {self.path}: {error.strerror}") from error
        with made as name:
            yield Path(name)

    def clear(self) -> None:
        """Remove what a process that was killed has left. To be called at start-up, before the first import."""
        try:
            left = [entry for entry in os.scandir(self.path) if entry.name.startswith(_PREFIX)]
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("%s can't be read: %s", self.path, error.strerror)
            return
        for entry in left:
            log.info("removing %s, which an import has left", entry.path)
            shutil.rmtree(entry.path, ignore_errors=True)

    def check(self) -> None:
        """Raise `StorageFull` if imports take more than their share of the disk."""
        taken = self._taken()
        share = (shutil.disk_usage(self.path).free + taken) // 2
        most = min(self._most, share) if self._most else share
        if taken > most:
            raise StorageFull(f"The files of imports under way take {taken} bytes; {most} is the most they may.")

    def _taken(self) -> int:
        taken = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    taken += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except OSError:
                    # Another import has just ended.
                    continue
        return taken

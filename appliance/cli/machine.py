"""Changes to this machine: commands, and files put in place or taken away; all of it can be tried dry."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from appliance.blobs.durable import Disk
from appliance.errors import Fatal


class Machine:
    """This machine, or with `root` a folder that becomes one; with `dry`, only says what it would do."""

    def __init__(self, *, root: Path | None = None, dry: bool = False) -> None:
        self._root = root
        self.dry = dry
        self.is_live = root is None

    def demand_root(self, doing: str) -> None:
        """Refuse to go on without the rights of root, unless they are not needed."""
        if not self.dry and self.is_live and os.geteuid() != 0:
            raise Fatal(f"{doing} needs the rights of root: try it with sudo, or --dry-run to see what it would do")
        if not self.dry and self.is_live and not Path("/run/systemd/system").is_dir():
            raise Fatal(f"{doing} needs systemd, which does not run this machine; start `serve` your own way")

    def at(self, path: Path) -> Path:
        """Where a path of the machine really is."""
        return path if self._root is None else self._root / path.relative_to("/")

    def write(self, path: Path, text: str, mode: int = 0o644, group: str = "") -> None:
        """Put a small file in place."""
        if self._skips(f"write {path}"):
            return
        target = self.at(path)
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        target.touch(mode=mode)
        target.chmod(mode)
        if group and self.is_live:
            shutil.chown(target, group=group)
        target.write_text(text)

    def copy_program(self, source: Path, path: Path) -> None:
        """Put the program in place, even while an older one runs from there."""
        if self._skips(f"copy {source} to {path}"):
            return
        target = self.at(path)
        if target.exists() and target.samefile(source):
            return
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = target.with_name(target.name + ".new")
        shutil.copyfile(source, fresh)
        fresh.chmod(0o755)
        Disk().rename(fresh, target)

    def directory(self, path: Path, user: str) -> None:
        """Make a directory for the service alone."""
        if self._skips(f"make {path}, owned by {user}"):
            return
        self.at(path).mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.is_live:
            shutil.chown(path, user, user)

    def link(self, path: Path, target: Path) -> None:
        """Make a symbolic link."""
        if self._skips(f"link {path} to {target}"):
            return
        link = self.at(path)
        link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def remove(self, path: Path) -> None:
        """Take a file or a whole directory away, if it is there."""
        target = self.at(path)
        if not (target.exists() or target.is_symlink()) or self._skips(f"remove {path}"):
            return
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink()

    def run(self, *command: str, may_fail: bool = False) -> None:
        """Run one of the machine's commands; a folder that becomes a machine runs none."""
        if not self.is_live or self._skips("run " + " ".join(command)):
            return
        try:
            done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise Fatal(f"this machine has no {command[0]}") from error
        if done.returncode and not may_fail:
            raise Fatal(f"{' '.join(command)} failed: {_last_line(done.stderr or done.stdout)}")

    def _skips(self, doing: str) -> bool:
        if self.dry:
            print(f"would {doing}")
        return self.dry


def _environment() -> dict[str, str]:
    """Our environment, without the libraries that the one-file program brings along: the machine has its own."""
    environment = dict(os.environ)
    environment.pop("LD_LIBRARY_PATH", None)
    if "LD_LIBRARY_PATH_ORIG" in environment:
        environment["LD_LIBRARY_PATH"] = environment["LD_LIBRARY_PATH_ORIG"]
    return environment


def _last_line(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why"

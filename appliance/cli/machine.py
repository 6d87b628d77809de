"""Changes to this machine: commands, files put in place or taken away, the unit for systemd."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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


NAME = "glance-appliance"
UNIT = Path(f"/etc/systemd/system/{NAME}.service")
WANTED = Path(f"/etc/systemd/system/multi-user.target.wants/{NAME}.service")
SYSUSERS = Path(f"/etc/sysusers.d/{NAME}.conf")
SETTINGS = Path(f"/etc/{NAME}/appliance.toml")
PROGRAM = Path(f"/usr/local/bin/{NAME}")
DATA_DIR = Path(f"/var/lib/{NAME}")
UNPACK_DIR = Path(f"/var/cache/{NAME}")

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp", "/dev", "/proc", "/sys")
"""Folders that the unit hides from the service or makes private to it: no place for its data."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a unit is made of."""

    program: tuple[str, ...]
    data_dir: Path = DATA_DIR
    settings: Path = SETTINGS
    user: str = NAME
    unpacks: bool = False
    """Whether the program is one file that unpacks itself at each start and needs a folder for that."""


def invocation() -> tuple[str, ...]:
    """The words that start this very program."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    script = Path(__file__).parents[2] / "appliance.py"
    return (sys.executable, str(script)) if script.is_file() else (sys.executable, "-m", "appliance")


def is_one_file() -> bool:
    """Whether this program has unpacked itself into a temporary folder."""
    # PyInstaller's folder for that; a program that came as a directory has `_internal` instead.
    return Path(getattr(sys, "_MEIPASS", "")).name.startswith("_MEI")


def unit(service: Service) -> str:
    """The unit file."""
    command = (*service.program, "serve", "--data-dir", str(service.data_dir), "--config", str(service.settings))
    if service.data_dir == DATA_DIR:
        where = f"StateDirectory={NAME}\nStateDirectoryMode=0700"
    else:
        where = f"ReadWritePaths={_word(str(service.data_dir))}"
    return _UNIT.format(
        command=" ".join(_word(word) for word in command),
        user=service.user,
        where=where,
        unpack=_UNPACK.format(name=NAME) if service.unpacks else "",
    )


def sysusers(service: Service) -> str:
    """The line that makes the service's user, for systemd-sysusers."""
    return f'u {service.user} - "Glance appliance" {service.data_dir}\n'


def _word(text: str) -> str:
    """A word of a command, as a unit writes it."""
    text = text.replace("%", "%%").replace("$", "$$")
    if text and not any(letter in text for letter in " \t\"'\\;"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_UNPACK = """
# The program is one file that unpacks itself at each start. /tmp and /run may be mounted noexec; this folder is not.
# A start after SIGKILL finds the leftovers of the start before it.
CacheDirectory={name}
CacheDirectoryMode=0700
Environment=TMPDIR=%C/{name}
ExecStartPre=-/usr/bin/find %C/{name} -mindepth 1 -delete
"""

_UNIT = """\
[Unit]
Description=Glance appliance: OpenStack image service with its identity service
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
# The program in one file is two processes, and the inner one is ready.
NotifyAccess=all
WatchdogSec=180
ExecStart={command}
User={user}
{where}
{unpack}
# The log comes on standard error and goes to the journal. Standard output has the first administrator's password,
# which the journal must not keep: clouds.yaml in the data directory has it.
StandardOutput=null
StandardError=journal

ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
# Wrong usage stays wrong however often it is tried.
RestartPreventExitStatus=2
KillMode=control-group
KillSignal=SIGTERM
# Longer than the setting shutdown_grace, so that running uploads end by themselves.
TimeoutStopSec=60
LimitNOFILE=65536

UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# Threads that check passwords lower their own priority, and conversions by qemu-img get limits of their own.
SystemCallFilter=setpriority prlimit64
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

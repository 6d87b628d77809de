"""The appliance as a systemd service: its unit, its user, and where its files lie."""

import sys
from dataclasses import dataclass
from pathlib import Path

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
Type=exec
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

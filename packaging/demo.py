"""Two acts in a terminal, without network: the first five minutes, from the executable to a virtual machine that boots;
and two sites, of which one has the other's image, and the next night what is new in it.

A real shell on a pseudo-terminal is typed into, so that what is shown is what happened. It has a network of its own
with nothing but loopback, where this machine allows that. `--write FILE` keeps it as a page of the documentation.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXECUTABLE = ROOT / "dist" / "glance-appliance-with-sample"
EMULATOR = "qemu-system-x86_64"
PLAIN = EXECUTABLE.with_name("glance-appliance")
PROMPT = "lab$ "
PAGE = """\
# The first five minutes

`make demo` plays this in a terminal: the executable, nothing installed, and a network that is loopback alone. What
follows is one such run, as it was; the machine is emulated, and boots faster where there is KVM.

```
{first}
```

# Two sites, the second night

`make demo ARGS='--act sites'` plays this alone: one site follows another's feed. The image is there under the same id,
and of the next night's, of which 64 KiB are new, only the blocks around these travel (`bytes_came`).

```
{sites}
```
"""


class Terminal:
    """A shell that is typed into, and what it showed."""

    def __init__(self, directory: Path, pause: float) -> None:
        self._pause = pause
        self._seen = ""
        self._read = 0
        self._process, self._shell = pty.fork()
        if self._process == 0:
            kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
            os.chdir(directory)
            # A terminal that knows no colours, and no editing of lines: what is typed is echoed as it is.
            shell = ["bash", "--norc", "--noprofile", "--noediting"]
            os.execvpe(shell[0], shell, {**kept, "HOME": str(directory), "PS1": PROMPT, "TERM": "dumb"})
        fcntl.ioctl(self._shell, 0x5414, struct.pack("HHHH", 40, 110, 0, 0))  # TIOCSWINSZ: rows and columns

    def expect(self, pattern: str, seconds: float = 60) -> None:
        """Wait until the screen shows this."""
        deadline = time.monotonic() + seconds
        while (found := re.compile(pattern).search(self._seen, self._read)) is None:
            ready, _, _ = select.select([self._shell], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"the terminal did not show {pattern!r} within {seconds:.0f} s")
            piece = os.read(self._shell, 65536).decode("utf-8", "replace")
            self._seen += piece
            sys.stdout.write(piece)
            sys.stdout.flush()
        self._read = found.end()

    def type(self, line: str) -> None:
        """Type a line, as fast as a person would."""
        for letter in f"{line}\n":
            os.write(self._shell, letter.encode())
            time.sleep(self._pause)

    def press(self, keys: bytes) -> None:
        """Press keys that are no line."""
        os.write(self._shell, keys)

    def run(self, line: str, seconds: float = 60) -> None:
        """Type a command and wait for the next prompt."""
        self.type(line)
        self.expect(rf"(?m)^{re.escape(PROMPT)}", seconds)

    def close(self) -> None:
        """Hang up."""
        os.kill(self._process, signal.SIGHUP)
        os.close(self._shell)
        os.waitpid(self._process, 0)

    def transcript(self) -> str:
        """What the screen showed; of a line that was drawn several times, the last form."""
        text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|c)", "", self._seen.replace("\r\n", "\n"))
        return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")).strip()


def play(terminal: Terminal) -> None:
    """The five minutes."""
    terminal.expect(re.escape(PROMPT))
    terminal.run("ls -sh glance-appliance; cut -c 1-30 /proc/net/dev")
    terminal.type("./glance-appliance serve --data-dir images 2>serve.log &")
    terminal.expect(r"image create .*\n")
    terminal.run("")
    terminal.run("export APPLIANCE_DATA_DIR=images")
    terminal.run("./glance-appliance image list")
    terminal.run("name=$(./glance-appliance image list -f value -c name)")
    terminal.run("./glance-appliance image save $name --file disk.qcow2")
    terminal.run("./glance-appliance image create mine --file disk.qcow2 --tag lab -f value -c status -c os_hash_value")
    terminal.run("du -sh disk.qcow2 images   # the same bytes twice, stored once")
    terminal.run("./glance-appliance project create lab -f value -c name")
    terminal.run("./glance-appliance user create alice --project lab -f value -c name")
    terminal.type(f"{EMULATOR} -nographic -m 256 -nic none -snapshot -drive file=disk.qcow2,if=virtio")
    terminal.expect(r"login: ", 300)
    terminal.type("cirros")
    terminal.expect(r"assword: ")
    terminal.type("gocubsgo")
    terminal.expect(r"\$ ")
    terminal.type("uname -sr; cut -c 1-30 /proc/net/dev")
    terminal.expect(r"lo:.*\s+.*\$ ")
    terminal.press(b"\x01x")  # QEMU's own keys for leaving
    terminal.expect(re.escape(PROMPT))
    terminal.run("kill %1; wait")


def play_sites(terminal: Terminal, ports: Sequence[int] = (9292, 5000, 9393, 5001)) -> None:
    """Two sites, one image, the second night. `ports` are those of the centre's and the edge's images and identity."""
    terminal.expect(re.escape(PROMPT))
    for site in ("center", "edge"):
        terminal.run(f'{site}() {{ ./glance-appliance "$@" --data-dir {site}; }}')
    for site, (image, identity) in (("center", ports[:2]), ("edge", ports[2:])):
        flags = f"--image-port {image} --identity-port {identity} --sample-images ''"
        terminal.run(f"{site} serve {flags} >{site}.log 2>&1 &")
        terminal.run(f"until grep -q ^identity {site}.log; do sleep 1; done")
    terminal.run("own() { $1 peer show -f value -c $2; }")
    terminal.run("own center fingerprint; own edge fingerprint   # which two administrators tell each other")
    known = "--fingerprint $(own edge fingerprint) --key $(own edge key)"
    terminal.run(f"center peer pair edge {known} -f value -c name")
    where = f"--url http://127.0.0.1:{ports[0]} --fingerprint $(own center fingerprint)"
    terminal.run(f"edge peer pair center {where} -f value -c name")
    terminal.run("center feed create golden --tag golden --reader edge -f value -c name")
    terminal.run("edge feed follow center golden --every 15m --limit 4M -f value -c name")
    as_image = "--disk-format raw --container-format bare --tag golden --public -f value -c id -q"
    terminal.run("head -c 10M glance-appliance >monday.raw   # for want of a disk")
    terminal.run(f"center image create monday --file monday.raw {as_image}")
    terminal.run("edge sync now")
    terminal.run("edge sync status -c feed -c images_behind -c bytes_came; edge image list")
    terminal.run("cp monday.raw tuesday.raw")
    terminal.run("dd if=/dev/urandom of=tuesday.raw bs=64K count=1 seek=99 conv=notrunc status=none")
    terminal.run(f"center image create tuesday --file tuesday.raw {as_image}")
    terminal.run("edge sync now")
    terminal.run("edge sync status -c feed -c images_behind -c bytes_came; edge image list")
    terminal.run("edge image save tuesday --file came.raw -q; cmp came.raw tuesday.raw && echo the same")
    terminal.run("kill %1 %2; wait")


def loopback_up() -> None:
    """Switch loopback on, which a new network has switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # SIOCSIFFLAGS with IFF_UP.
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 1))


def apart(arguments: list[str]) -> list[str] | None:
    """The command that does the same in a network of its own; None where that can't be."""
    tool = shutil.which("unshare")
    if tool is None:
        return None
    alone = [tool, "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*alone, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return None
    return [*alone, sys.executable, __file__, "--apart", *arguments]


def main() -> int:
    """Play it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep it as a page of the documentation")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two letters typed")
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--act", choices=("first", "sites"), help="this one alone")
    options = parser.parse_args()
    acts = [options.act] if options.act else ["first", "sites"]
    executable = PLAIN if acts == ["sites"] and PLAIN.exists() else EXECUTABLE
    missing = [name for name in ([EMULATOR] if "first" in acts else []) + ["bash"] if shutil.which(name) is None]
    if missing or not executable.exists():
        why = f"{missing[0]} is not installed" if missing else f"{executable.relative_to(ROOT)} is not there"
        print(f"no demonstration: {why}", file=sys.stderr)
        return 1
    if options.apart:
        loopback_up()
    elif again := apart(sys.argv[1:]):
        return subprocess.run(again, check=False).returncode
    else:
        print("(a network of its own can't be made here: this one is used)")
    shown = {}
    for act in acts:
        try:
            shown[act] = played(act, executable, options.pause)
        except (OSError, TimeoutError) as problem:
            print(f"\nthe demonstration broke off: {problem}", file=sys.stderr)
            return 1
        print()
    if options.write:
        options.write.write_text(PAGE.format(**{act: shown.get(act, "") for act in ACTS}))
    return 0


ACTS = {"first": play, "sites": play_sites}


def played(act: str, executable: Path, pause: float) -> str:
    """Play an act; what the screen showed."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        shutil.copy2(executable, Path(folder) / "glance-appliance")
        terminal = Terminal(Path(folder), pause)
        try:
            ACTS[act](terminal)
        finally:
            terminal.close()
        return terminal.transcript()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m samples.boot IMAGE`: boot a sample image under QEMU, log in, and print how long each step took.

IMAGE is a disk image, or the cache folder, whose first image is taken; QEMU also reads `http://` addresses. The guest
has no network card, so nothing that it does leaves the machine.
"""

import argparse
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from samples import NoSample, cache, say

EMULATOR = "qemu-system-x86_64"


class Console:
    """A guest's serial console."""

    def __init__(self, command: list[str]) -> None:
        self._guest = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._started = time.monotonic()
        self._seen = ""

    def expect(self, pattern: str, seconds: float) -> tuple[re.Match[str], float]:
        """Wait until the console shows this; the match, and how long after the start it came."""
        assert self._guest.stdout is not None
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self._seen)) is None:
            ready, _, _ = select.select([self._guest.stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._guest.stdout.fileno(), 65536) if ready else b""
            if not piece:
                why = "ended" if ready else f"did not show {pattern!r} within {seconds:.0f} s"
                raise NoSample(f"the guest {why}; the console's end:\n{self._seen[-1500:]}")
            self._seen += piece.decode("latin-1")
        self._seen = self._seen[found.end() :]
        return found, time.monotonic() - self._started

    def type(self, line: str) -> None:
        """Type a line."""
        assert self._guest.stdin is not None
        self._guest.stdin.write(f"{line}\n".encode())
        self._guest.stdin.flush()

    def close(self) -> None:
        """Switch the guest off."""
        with self._guest:
            self._guest.kill()


def boot(image: str, user: str, password: str, *, memory: int, seconds: float, firmware: str | None = None) -> str:
    """Boot the image and log in; the guest's kernel version."""
    if shutil.which(EMULATOR) is None:
        raise NoSample(f"{EMULATOR} is not installed (Debian's package qemu-system-x86 has it)")
    # Emulation and not KVM: a few seconds slower, and the same on every machine, nested ones included.
    command = [EMULATOR, "-machine", "pc,accel=tcg", "-m", str(memory), "-nic", "none", "-nographic"]
    command += ["-monitor", "none", "-serial", "stdio", "-no-reboot", "-snapshot", "-device", "virtio-rng-pci"]
    command += ["-drive", f"file={image},if=virtio"]
    if firmware is not None:
        command += ["-bios", firmware]
    console = Console(command)
    try:
        _, prompted = console.expect(r"login: ", seconds)
        console.type(user)
        console.expect(r"assword: ", 30)
        console.type(password)
        console.expect(r"\$ ", 30)
        console.type("echo kernel=$(uname -r) user=$(id -un).")
        found, answered = console.expect(r"kernel=(\d\S+) user=(\S+)\.", 30)
    finally:
        console.close()
    say(f"Login prompt after {prompted:.1f} s, logged in as {found[2]} after {answered:.1f} s.")
    return found[1]


def main() -> int:
    """Boot what the command line names."""
    parser = argparse.ArgumentParser(prog="samples.boot", description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--user", default="cirros")
    parser.add_argument("--password", default="gocubsgo")
    parser.add_argument("--memory", type=int, default=256, help="MiB")
    parser.add_argument("--seconds", type=float, default=180, help="how long the login prompt may take")
    parser.add_argument("--firmware", help="a UEFI firmware to boot with instead of the BIOS")
    options = parser.parse_args()
    image = options.image
    if Path(image).is_dir():
        present = cache.read(Path(image))
        if not present:
            say(f"{image} holds no sample image.")
            return 1
        image = str(Path(image) / present[0].file)
    try:
        kernel = boot(
            image,
            options.user,
            options.password,
            memory=options.memory,
            seconds=options.seconds,
            firmware=options.firmware,
        )
    except NoSample as problem:
        say(f"{image} did not boot: {problem}")
        return 1
    say(f"{image} runs Linux {kernel}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

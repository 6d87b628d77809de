"""Lay Ceph's daemons out in a folder, from Debian's packages: `ceph_packages.py DIRECTORY`. Installs nothing.

Tests start a cluster of one monitor, one disk in memory, and its S3 gateway from it. What can't be had is told in a
sentence, and its tests are skipped.
"""

import shutil
import subprocess
import sys
from pathlib import Path

WANTED = ("ceph-mon", "ceph-osd", "radosgw")
UNUSED = ("cryptsetup", "dmeventd", "dmidecode", "gdisk", "hdparm", "logrotate", "lvm2", "nvme", "parted", "python3")
"""What they recommend to administrators, by the beginning of its name."""


def lay_out(target: Path) -> str:
    """Fetch and unpack, unless that was done; else why not."""
    if (target / "complete").exists():
        return ""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "no Ceph, and no apt-get to fetch it with"
    simulated = ["apt-get", "install", "--simulate", "--no-install-recommends", *WANTED]
    listed = subprocess.run(simulated, capture_output=True, text=True, check=False).stdout
    names = [line.split()[1] for line in listed.splitlines() if line.startswith("Inst ")]
    names = [name for name in names if not name.startswith(UNUSED)]
    if not names:
        return "no Ceph: apt-get knows no package ceph-osd, or it is installed"
    packages = target / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    print(f"fetching {len(names)} packages of Ceph", flush=True)
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names]
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"no Ceph: {done.stderr.strip().splitlines()[-1:]}"
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(target / "root")], check=True)
    shutil.rmtree(packages)
    (target / "complete").touch()
    return ""


if __name__ == "__main__":
    if sentence := lay_out(Path(sys.argv[1])):
        print(sentence, file=sys.stderr)

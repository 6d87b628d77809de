"""Lay Ceph's daemons out in a folder, from Debian's packages: `ceph_packages.py DIRECTORY`. Installs nothing.

Tests start a cluster of one monitor, one disk in memory, and its S3 gateway from it. What can't be had is told in a
sentence, and its tests are skipped.
"""

import sys
from pathlib import Path

from debian_packages import lay_out

WANTED = ("ceph-mon", "ceph-osd", "radosgw")
UNUSED = ("cryptsetup", "dmeventd", "dmidecode", "gdisk", "hdparm", "logrotate", "lvm2", "nvme", "parted", "python3")
"""What they recommend to administrators, by the beginning of its name."""


if __name__ == "__main__":
    if sentence := lay_out("Ceph", Path(sys.argv[1]), WANTED, UNUSED):
        print(sentence, file=sys.stderr)

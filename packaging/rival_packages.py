"""Lay rsync, zsync and casync out in a folder, from Debian's packages: `rival_packages.py DIRECTORY`. Installs nothing.

`bench.fleet` says what they move for the same images. What can't be had is told in a sentence.
"""

import sys
from pathlib import Path

from debian_packages import lay_out

WANTED = ("rsync", "zsync", "casync")


if __name__ == "__main__":
    if sentence := lay_out("rsync, zsync and casync", Path(sys.argv[1]), WANTED):
        print(sentence, file=sys.stderr)

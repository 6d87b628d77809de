"""Look into the executable: no library that must not be there, none without an owner and a licence, none too old."""

import json
import re
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from PyInstaller.archive.readers import CArchiveReader  # type: ignore[import-untyped]

UNWANTED = re.compile(r"readline|libtinfo|ncurses|libgdbm|libdb-|libz\.so")
"""Under the GPL (GNU readline, gdbm), or there for those alone; and a zlib that is not the one of newer sources."""
OLDEST = {"openssl": (3, 0), "openssl-cryptography": (3, 0), "sqlite": (3, 40), "zlib": (1, 2, 12)}
"""What `version --verbose` has to reach: releases that are still repaired."""
NATIVE = "b"
DRIVERS = "drivers.zip"


def native_files(executable: Path) -> list[str]:
    """The compiled files in it, those of drivers included, which are packed once more."""
    archive = CArchiveReader(str(executable))
    with ZipFile(BytesIO(archive.extract(DRIVERS))) as drivers:
        packed = drivers.namelist()
    return sorted([*packed, *(name for name, entry in archive.toc.items() if entry[-1] == NATIVE)])


def faults(native: list[str], bill: str, licences: str) -> list[str]:
    """What is wrong with these files, given the bill of materials and the text that `licenses` prints."""
    components = json.loads(bill)["components"]
    owned = {place["location"] for one in components for place in one.get("evidence", {}).get("occurrences", ())}
    headings = set(re.split(r"={20,}\n", licences, maxsplit=1)[-1].splitlines())
    named = [f"{one['name']} {one.get('version', '')}".strip() for one in components]
    return [
        *(f"{name} must not be in it" for name in native if UNWANTED.search(name)),
        *(f"the bill of materials does not say whose {name} is" for name in native if name not in owned),
        *(f"{name} has no licence text in it" for name in named if name not in headings),
    ]


def outdated(versions: str) -> list[str]:
    """What is too old in the lines that `version --verbose` prints."""
    found = dict(line.split(" ", 1) for line in versions.splitlines() if " " in line)
    return [
        f"{name} is {found.get(name, 'not named')}, older than {'.'.join(map(str, oldest))}"
        for name, oldest in OLDEST.items()
        if tuple(map(int, re.findall(r"\d+", found.get(name, "")))) < oldest
    ]

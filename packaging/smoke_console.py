"""Ask a running appliance for its console, and compare every file with the checkout's."""

import re
import urllib.error
import urllib.request
from pathlib import Path

STATIC = Path(__file__).resolve().parents[1] / "appliance" / "api" / "console" / "static"


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def check_console(address: str) -> list[str]:
    """What held, as a line. Raises `AssertionError` with what is missing or different."""
    page = _get(f"{address}/console/").decode()
    named = re.search(r'src="(assets/[0-9a-f]+/)app\.js"', page)
    assert named is not None, "the page names no program"
    files = [file for file in STATIC.rglob("*") if file.is_file() and file.name != "index.html"]
    wrong = []
    for file in files:
        name = file.relative_to(STATIC).as_posix()
        try:
            same = _get(f"{address}/console/{named[1]}{name}") == file.read_bytes()
        except urllib.error.HTTPError:
            same = False
        if not same:
            wrong.append(name)
    assert not wrong, f"the console's {', '.join(sorted(wrong))} is not that of this checkout"
    return [f"the console is there with all of its {len(files)} files"]

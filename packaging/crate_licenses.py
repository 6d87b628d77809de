"""Write `licenses/crates.txt` anew: the licence texts of the Rust packages that are compiled into Python packages.

Their wheels name those packages and bring no texts. LanceDB, which is made of many of the same ones, publishes them
all in its npm package, as cargo-about collected them. What it does not have has a file of its own in `licenses/`, and
wins. Run this with Node's npm after a new release of obstore, cryptography or blake3; the build says what is missing.
"""

import html
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from inventory import CRATES, CRATES_RULE, crates_of, needs_own_text, own_text
from libraries import LICENCES

PACKAGES = ("blake3", "cryptography", "obstore")
SOURCE = "@lancedb/lancedb@0.37.1"
PAGE = "package/RUST_THIRD_PARTY_LICENSES.html"
ENTRY = re.compile(
    r'<h3 id="(?P<licence>[^"]+)">.*?<ul class="license-used-by">(?P<users>.*?)</ul>\s*'
    r'<pre class="license-text">(?P<text>.*?)</pre>',
    re.DOTALL,
)
NOBODY = re.compile(r"<year>|<copyright holders?>|<owner>|Internet Systems Consortium")
"""What a licence says where cargo-about found no text and took the general one."""


def collected() -> Iterator[tuple[str, str, str]]:
    """A package, a licence that it is under, and the text."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", SOURCE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            page = files.extractfile(PAGE)
            assert page is not None
            text = page.read().decode()
    for entry in ENTRY.finditer(text):
        for user in re.findall(r">([^<>]+)</a>", entry["users"]):
            yield user.rpartition(" ")[0], entry["licence"], html.unescape(entry["text"]).strip()


def wanted() -> set[str]:
    """The packages that need a text of their own and have none in a file of theirs."""
    crates = [crate for name in PACKAGES for crate in crates_of(distribution(name))]
    names = {crate["name"] for crate in crates if needs_own_text(crate)}
    return {name for name in names - {*LICENCES} if not own_text(name).exists()}


def main() -> int:
    """Write the file, and name what has no text."""
    names = wanted()
    texts: dict[str, set[str]] = {}
    for name, licence, text in collected():
        if name in names and not licence.startswith("Apache") and not NOBODY.search(text):
            texts.setdefault(text, set()).add(name)
    parts = sorted((" ".join(sorted(users)), text) for text, users in texts.items())
    CRATES.write_text("".join(f"{users}\n\n{text}\n{CRATES_RULE}" for users, text in parts).removesuffix(CRATES_RULE))
    missing = names.difference(*texts.values())
    for name in sorted(missing):
        print(f"{name} has no text: write licenses/{name}.txt", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the hashes of pinned releases anew: `pins.py FILE...`, or `make pins` for all of them.

A file of pins names each release that an environment consists of, `name==version`, one a line. To change one, change
its version (or add a line) and run this: under each release it lists the SHA-256 of every wheel and source archive that
the package index offers for it, so that any Python and any processor finds its file and no other is accepted. The
index is the one that pip is configured to use.
"""

import argparse
import base64
import functools
import os
import re
import ssl
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

# pip's own, so that this runs before there is an environment, under any Python that has pip.
from pip._internal.models.index import PyPI
from pip._vendor.packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from pip._vendor.packaging.version import Version

PINNED = re.compile(r"([\w.-]+)==([\w.]+)")
LINK = re.compile(r'href="[^"#]*?([^/"#]+)#sha256=([0-9a-f]{64})"')


class CannotPin(Exception):
    """Why there are no hashes, in a sentence."""


@dataclass(frozen=True)
class Index:
    """The package index that pip uses, and the certificates it trusts."""

    url: str
    certificates: str | None

    @classmethod
    def of_pip(cls) -> "Index":
        """As pip's environment variables or its configuration say."""
        return cls(_configured("index-url") or PyPI.simple_url, _configured("cert"))

    @functools.cache  # noqa: B019 - one index lives as long as the program
    def files(self, name: str) -> dict[str, str]:
        """The SHA-256 of every file that the index has of a project."""
        parts = urlsplit(self.url)
        headers = {"Accept": "application/vnd.pypi.simple.v1+html, text/html;q=0.5"}
        if parts.username:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
        host = parts.netloc.rpartition("@")[2]
        page = f"{parts.scheme}://{host}{parts.path.rstrip('/')}/{canonicalize_name(name)}/"
        context = ssl.create_default_context(cafile=self.certificates) if parts.scheme == "https" else None
        with urllib.request.urlopen(
            urllib.request.Request(page, headers=headers), timeout=60, context=context
        ) as found:
            listed: str = found.read().decode()
        return {unquote(unescape(file)): digest for file, digest in LINK.findall(listed)}


def _configured(name: str) -> str | None:
    """One of pip's settings."""
    given = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if given:
        return given
    asked = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or None


def hashes(version: str, files: dict[str, str]) -> list[str]:
    """The digests of a release's own files among all that a project has."""
    return sorted({digest for file, digest in files.items() if _version(file) == Version(version)})


def _version(file: str) -> Version | None:
    try:
        return parse_wheel_filename(file)[1] if file.endswith(".whl") else parse_sdist_filename(file)[1]
    except ValueError:
        return None  # another kind of file, or a name from before there were rules for names


def releases(text: str) -> dict[str, str]:
    """What a file of pins names, in its order."""
    return dict(PINNED.findall(text))


def written(comment: str, pinned: dict[str, list[str]]) -> str:
    """A file of pins: its first line, and each release with its hashes."""
    entries = [
        " \\\n    ".join([release, *(f"--hash=sha256:{digest}" for digest in digests)])
        for release, digests in sorted(pinned.items(), key=lambda item: item[0].partition("==")[0].lower())
    ]
    return "\n".join([comment, *entries]) + "\n"


def renew(file: Path, index: Index) -> None:
    """Write one file's hashes anew."""
    text = file.read_text()
    named = releases(text)
    with ThreadPoolExecutor(4) as several:
        found = list(several.map(index.files, named))
    pinned = {f"{name}=={named[name]}": hashes(named[name], files) for name, files in zip(named, found, strict=True)}
    missing = [release for release, digests in pinned.items() if not digests]
    if missing:
        raise CannotPin(f"the package index has no file of {', '.join(missing)}; check the version in {file}")
    file.write_text(written(text.splitlines()[0], pinned))


def main() -> int:
    """Renew the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    index = Index.of_pip()
    try:
        for file in parser.parse_args().files:
            renew(file, index)
            print(f"{file}: {len(releases(file.read_text()))} releases")
    except (CannotPin, OSError) as problem:
        print(f"the pins stay as they were: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

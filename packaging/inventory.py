"""What the executable is made of: whose each packed thing is, its version, its licence, and the licence's text.

The PyInstaller description calls this with all that it is about to pack. Something whose owner is not known, and an
owner without a licence text, fail the build. Texts come with the packages themselves and with Debian's; `licenses/` has
those of libraries that are compiled into something else, and come without.
"""

import importlib
import json
import re
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path
from platform import python_version
from typing import Any

HERE = Path(__file__).resolve().parent
LICENCE = HERE.parent / "LICENSE"
VENDORED = HERE.parent / "appliance" / "api" / "console" / "static" / "vendor"
OURS = "glance-appliance"
BUILT = Path("/opt/licenses")
"""Of what was compiled in the older root, `NAME/version` and texts."""
BUILT_INTO = {"_sqlite3": "sqlite3", "zlib": "zlib", "_lzma": "xz-utils", "pyexpat": "expat", "_decimal": "libmpdec"}
"""Modules of Python, and the library that is linked into each, if none is packed beside it."""
BUNDLED = {"cffi": ("libffi",), "lz4": ("lz4-library",), "PyYAML": ("libyaml",)}
"""Packages whose compiled modules have a library inside."""
TEXT_OF = {"lz4-library": "lz4"}
ASKED = {
    "expat": ("pyexpat", "EXPAT_VERSION"),
    "libmpdec": ("decimal", "__libmpdec_version__"),
    "libyaml": ("yaml._yaml", "get_version_string"),
    "lz4-library": ("lz4", "library_version_string"),
}
"""Where the modules that have a library inside say its version."""
LICENCES = {
    "bzip2": "bzip2-1.0.6",
    "expat": "MIT",
    "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libffi": "MIT",
    "libmpdec": "BSD-2-Clause",
    "libyaml": "MIT",
    "lz4": "BSD-3-Clause",
    "lz4-library": "BSD-2-Clause",
    "openssl": "Apache-2.0",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    # Of it nothing but what runs in the executable is packed.
    "pyinstaller-hooks-contrib": "Apache-2.0",
    "sqlite-fts4": "Apache-2.0",
    "sqlite3": "blessing",
    "util-linux": "BSD-3-Clause",
    "waitress": "ZPL-2.1",
    "xz-utils": "0BSD",
    "zlib": "Zlib",
}
"""SPDX identifiers: of libraries by the name of Debian's source package, and of packages that say it otherwise."""
COMPILING_ONLY = frozenset((
    "asn1_derive", "cc", "find-msvc-tools", "heck", "openssl-macros", "pkg-config", "proc-macro2", "pyo3-build-config",
    "pyo3-macros", "pyo3-macros-backend", "quote", "shlex", "syn", "target-lexicon", "unicode-ident", "vcpkg",
))  # fmt: skip
"""Rust packages that are at work while others are compiled, and leave nothing behind."""
APACHE = "Apache-2.0"


class Unlicensed(Exception):
    """What must not be packed, in a sentence."""


@dataclass
class Component:
    """One thing with one version and one licence."""

    name: str
    version: str
    purl: str
    licence: str
    texts: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    """The compiled files of the executable that are part of it."""


class Inventory:
    """Collects the components of what is packed."""

    def __init__(self, site: Path, root: Path) -> None:
        self._root = root
        self._python = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
        self._owners = {
            Path(str(file.locate())).resolve(): found
            for found in distributions(path=[str(site)])
            for file in found.files or ()
        }
        self._found: dict[str, Component] = {}
        self._homeless: list[str] = []

    def add(self, name: str, source: str | None, kind: str) -> None:
        """One line of PyInstaller's tables: the packed name, the file that it is made of, and the kind."""
        if not source or source == "-":
            return  # a package without a file
        path = Path(source).resolve()
        owner = self._owner(name, path)
        if owner is None:
            self._homeless.append(f"{name} ({source})")
        elif kind in ("BINARY", "EXTENSION"):
            owner.files.add(name)

    def components(self) -> list[Component]:
        """All of them by name, each with its texts. Raises `Unlicensed`."""
        if self._homeless:
            raise Unlicensed(f"these belong to nothing that is known: {', '.join(sorted(self._homeless))}")
        self._add_bundled()
        bare = sorted(found.name for found in self._found.values() if not "".join(found.texts).strip())
        if bare:
            raise Unlicensed(f"these have no licence text: {', '.join(bare)}")
        return sorted(self._found.values(), key=lambda found: (found.name.lower(), found.version))

    def _owner(self, name: str, path: Path) -> Component | None:
        if path in self._owners:
            return self._package(self._owners[path])
        if name == "base_library.zip" or name.startswith("libpython") or self._python & {*path.parents}:
            return self._python_itself()
        if VENDORED in path.parents:
            return self._vendored(path)
        if self._root in path.parents:
            return self._once(Component(OURS, "", f"pkg:generic/{OURS}", APACHE, [LICENCE.read_text()]))
        return self._library_of(path)

    def _vendored(self, path: Path) -> Component:
        """What the console takes from others; the text beside it names each, with its licence."""
        texts = (path.parent / "licenses.txt").read_text().split(f"\n{'=' * 100}\n\n")
        for text in texts:
            name, version, licence = re.match(r"(\S+) (\S+) \((.+)\)", text).groups()  # type: ignore[union-attr]
            self._once(Component(name, version, f"pkg:npm/{name.replace('@', '%40')}@{version}", licence, [text]))
        return self._once(Component(OURS, "", f"pkg:generic/{OURS}", APACHE, [LICENCE.read_text()]))

    def _once(self, component: Component) -> Component:
        return self._found.setdefault(component.purl, component)

    def _package(self, found: Distribution) -> Component:
        name = found.metadata["Name"]
        purl = f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{found.version}"
        if purl in self._found:
            return self._found[purl]
        licence = LICENCES.get(name) or licence_of(found)
        component = self._once(Component(name, found.version, purl, licence, list(texts_of(found))))
        for library in BUNDLED.get(name, ()):
            self._library(library)
        for crate in crates_of(found):
            self._crate(crate)
        return component

    def _python_itself(self) -> Component:
        purl = f"pkg:generic/python@{python_version()}"
        if purl not in self._found:
            built = sorted((BUILT / f"python{python_version().rpartition('.')[0]}").glob("*"))
            files = [file for file in built if file.name != "version"]
            files += [file for place in self._python for file in place.glob("LICENSE*")]
            texts = [file.read_text(errors="replace") for file in files]
            self._found[purl] = Component("Python", python_version(), purl, "Python-2.0.1", texts)
        return self._found[purl]

    def _library_of(self, path: Path) -> Component | None:
        """The library that a file of the system belongs to, as dpkg knows, or as it was compiled here."""
        if path.is_relative_to("/opt/python/lib") and path.name.startswith(("libssl", "libcrypto")):
            return self._compiled_here("openssl")
        # The system's own folders may be links into /usr, and dpkg knows a file by one of its names alone.
        owners = (_output("dpkg-query", "-S", name) for name in (str(path), str(path).removeprefix("/usr")))
        package = next((re.split("[:,] ", owner)[0] for owner in owners if owner), None)
        if package is None:
            return None
        source, _, version = _output("dpkg-query", "-Wf", "${source:Package} ${source:Version}", package).partition(" ")
        text = Path("/usr/share/doc", package.partition(":")[0], "copyright")
        name = re.sub(r"^gcc-\d+$", "gcc", source)
        return self._library(name, version, text.read_text(errors="replace") if text.exists() else "")

    def _compiled_here(self, name: str) -> Component:
        """A library of the older root; or, in this machine's Python, one of which only the name is known."""
        version, text = BUILT / name / "version", BUILT / name / "copyright"
        if not version.exists():
            return self._library(name)
        return self._library(name, version.read_text().strip(), text.read_text(errors="replace"))

    def _library(self, name: str, version: str = "", text: str = "") -> Component:
        own = HERE / "licenses" / f"{TEXT_OF.get(name, name)}.txt"
        if own.exists():
            text = own.read_text()
        if name in ASKED and not version:
            module, attribute = ASKED[name]
            told = getattr(importlib.import_module(module), attribute)
            version = str(told() if callable(told) else told).removeprefix("expat_")
        purl = f"pkg:generic/{name}" + (f"@{version}" if version else "")
        texts = [text, *_common(text)] if text else []
        return self._once(Component(name, version, purl, LICENCES.get(name, "see its text"), texts))

    def _crate(self, crate: dict[str, Any]) -> None:
        name, version = crate["name"], crate.get("version", "")
        said = [choice.get("expression") or choice["license"].get("id", "") for choice in crate.get("licenses", [])]
        licence = LICENCES.get(name, " AND ".join(said))
        own = HERE / "licenses" / f"{name}.txt"
        text = LICENCE.read_text() if APACHE in licence else own.read_text() if own.exists() else ""
        purl = crate.get("purl", f"pkg:generic/{name}@{version}").partition("?")[0]
        self._once(Component(name, version, purl, licence, [text]))

    def _add_bundled(self) -> None:
        """The libraries inside Python's own modules, unless they are packed as files of their own."""
        named = {component.name for component in self._found.values()}
        modules = {Path(file).name.partition(".")[0] for found in self._found.values() for file in found.files}
        for module, library in BUILT_INTO.items():
            if module in modules and library not in named:
                self._compiled_here(library)


def licence_of(found: Distribution) -> str:
    """What a package says of its licence, in as few words as it has."""
    said = found.metadata["License-Expression"] or (found.metadata["License"] or "").strip().partition("\n")[0]
    classifiers = found.metadata.get_all("Classifier") or ()
    classified = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    return said or " AND ".join(classified) or "see its text"


def texts_of(found: Distribution) -> Iterator[str]:
    """The licence texts that a package brings along."""
    for file in sorted(found.files or (), key=str):
        in_metadata = ".dist-info" in str(file) and re.match(r"(?i)licen[sc]e|copying|notice|authors", file.name)
        if in_metadata and file.suffix not in (".py", ".json"):
            yield Path(str(file.locate())).read_text(errors="replace")


def crates_of(found: Distribution) -> Iterator[dict[str, Any]]:
    """What was compiled into a package's modules, as the package's own bills of materials say."""
    for file in found.files or ():
        if ".dist-info/sboms/" in str(file):
            listed = json.loads(Path(str(file.locate())).read_text()).get("components", [])
            yield from (crate for crate in listed if crate["name"] not in COMPILING_ONLY)


def _common(text: str) -> list[str]:
    """The licences that Debian's copyright files only refer to."""
    named = sorted(set(re.findall(r"/usr/share/common-licenses/([\w+-]+(?:\.\d)?)", text)))
    files = [Path("/usr/share/common-licenses", name) for name in named]
    return [file.read_text(errors="replace") for file in files if file.is_file()]


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""  # no Debian


def inventory(packed: Iterable[tuple[str, str | None, str]], site: Path, root: Path) -> list[Component]:
    """The components of these lines of PyInstaller's tables, and of its own part. Raises `Unlicensed`."""
    found = Inventory(site.resolve(), root.resolve())
    for line in packed:
        found.add(*line)
    return found.components()

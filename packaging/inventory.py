"""What the executable is made of: whose each packed thing is, its version, its licence, and the licence's text.

The PyInstaller description calls this with all that it is about to pack. Something whose owner is not known, and an
owner without a licence text, fail the build. Texts come with the packages themselves and with Debian's; `licenses/` has
those of libraries that are compiled into something else, and come without.
"""

import functools
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

from libraries import (
    APACHE,
    ASKED,
    BESIDE,
    BUILT_INTO,
    BUNDLED,
    COMPILING_ONLY,
    LICENCES,
    SAID_INSIDE,
    TEXT_OF,
)  # fmt: skip

HERE = Path(__file__).resolve().parent
LICENCE = HERE.parent / "LICENSE"
CRATES = HERE / "licenses" / "crates.txt"
"""Texts of Rust packages, each after a line with the names of those that it is for; see `crate_licenses.py`."""
CRATES_RULE = f"\n{'=' * 100}\n\n"
VENDORED = HERE.parent / "appliance" / "api" / "console" / "static" / "vendor"
OURS = "glance-appliance"
BUILT = Path("/opt/licenses")
"""Of what was compiled in the older root, `NAME/version` and texts."""


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
        texts = list(texts_of(found))
        if not texts and own_text(name).exists():
            texts.append(own_text(name).read_text())
        if licence.startswith("LGPL-3"):
            # That one is a list of exceptions from the other.
            texts += _common("/usr/share/common-licenses/GPL-3")
        component = self._once(Component(name, found.version, purl, licence, texts))
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

    def _said_inside(self, file: str, pattern: bytes) -> str:
        """The version that a packed library says of itself, in its bytes."""
        paths = (path for path in self._owners if path.name.startswith(file))
        said = [re.search(pattern, path.read_bytes()) for path in paths]
        return next((found[1].decode() for found in said if found), "")

    def _compiled_here(self, name: str) -> Component:
        """A library of the older root; or, in this machine's Python, one of which only the name is known."""
        version, text = BUILT / name / "version", BUILT / name / "copyright"
        if not version.exists():
            return self._library(name)
        return self._library(name, version.read_text().strip(), text.read_text(errors="replace"))

    def _library(self, name: str, version: str = "", text: str = "") -> Component:
        own = own_text(name)
        if own.exists():
            text = own.read_text()
        elif LICENCES.get(name) == APACHE and not text:
            text = LICENCE.read_text()
        if name in SAID_INSIDE:
            version = self._said_inside(*SAID_INSIDE[name])
        if name in ASKED and not version:
            module, attribute = ASKED[name]
            told = getattr(importlib.import_module(module), attribute)
            told = told() if callable(told) else told
            version = ".".join(map(str, told)) if isinstance(told, tuple) else str(told).removeprefix("expat_")
        if name == "libpq":
            version = f"{int(version) // 10000}.{int(version) % 10000}"
        purl = f"pkg:generic/{name}" + (f"@{version}" if version else "")
        texts = [text, *_common(text)] if text else []
        return self._once(Component(name, version, purl, LICENCES.get(name, "see its text"), texts))

    def _crate(self, crate: dict[str, Any]) -> None:
        name, version = crate["name"], crate.get("version", "")
        licence = LICENCES.get(name) or licence_of_crate(crate)
        own = own_text(name)
        texts = [LICENCE.read_text()] if APACHE in licence else []
        if own.exists():
            texts.append(own.read_text())
        elif needs_own_text(crate) and name not in LICENCES:
            texts = [*texts, *self._crate_texts[name]] if name in self._crate_texts else []
        purl = crate.get("purl", f"pkg:generic/{name}@{version}").partition("?")[0]
        self._once(Component(name, version, purl, licence, texts))

    @functools.cached_property
    def _crate_texts(self) -> dict[str, list[str]]:
        """By name, what is kept of Rust packages."""
        found: dict[str, list[str]] = {}
        for part in CRATES.read_text().split(CRATES_RULE):
            names, _, text = part.partition("\n\n")
            for name in names.split():
                found.setdefault(name, []).append(text)
        return found

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


def own_text(name: str) -> Path:
    """The file that is kept of a library or a Rust package, if one is."""
    return HERE / "licenses" / f"{'arrow' if name.startswith('arrow-') else TEXT_OF.get(name, name)}.txt"


def licence_of_crate(crate: dict[str, Any]) -> str:
    """What a bill of materials says of the licence of a Rust package."""
    said = [choice.get("expression") or choice["license"].get("id", "") for choice in crate.get("licenses", [])]
    return " ".join(" AND ".join(said).split())


def needs_own_text(crate: dict[str, Any]) -> bool:
    """Whether a Rust package can't be had under the Apache licence alone, whose text is here anyway."""
    return any(APACHE not in part for part in licence_of_crate(crate).split(" AND "))


def crates_of(found: Distribution) -> Iterator[dict[str, Any]]:
    """What was compiled into a package's modules, as the package's own bills of materials say."""
    for file in found.files or ():
        if ".dist-info/sboms/" in str(file):
            listed = json.loads(Path(str(file.locate())).read_text()).get("components", [])
            yield from (crate for crate in listed if _is_left_behind(crate))


def _is_left_behind(crate: dict[str, Any]) -> bool:
    """Whether it is in the compiled module: no tool of the compiler's, nor a file beside the module."""
    kind = crate.get("purl", "").partition("/")[0]
    return crate.get("scope") != "excluded" and crate["name"] not in COMPILING_ONLY and kind not in BESIDE


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

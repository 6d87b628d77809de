"""Every environment is made of pinned releases, and the pins say what `pyproject.toml` says."""

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from types import ModuleType

import pytest

from tests.answering import answering

ROOT = Path(__file__).parents[2]
FILES = tuple(sorted(path.name for path in (ROOT / "packaging").glob("*.txt")))
RELEASE = re.compile(r"([\w.-]+)==([\w.]+)((?: --hash=sha256:[0-9a-f]{64})+)")


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def entries(file: str) -> list[str]:
    """Each release with its hashes, on one line."""
    text = (ROOT / "packaging" / file).read_text()
    return [line for line in re.sub(r" \\\n +", " ", text).splitlines() if not line.startswith("#")]


def pins(file: str) -> dict[str, str]:
    return {name.lower(): version for name, version, _ in RELEASE.findall("\n".join(entries(file)))}


@pytest.mark.parametrize("file", FILES)
def test_it_begins_with_what_it_is_for(file: str) -> None:
    assert (ROOT / "packaging" / file).read_text().startswith("# ")


@pytest.mark.parametrize("file", FILES)
def test_every_release_has_hashes(file: str) -> None:
    assert [entry[:60] for entry in entries(file) if not RELEASE.fullmatch(entry)] == []


@pytest.mark.parametrize("file", FILES)
def test_every_release_is_there_once_in_order(file: str) -> None:
    names = [entry.partition("==")[0].lower() for entry in entries(file)]
    assert names == sorted(set(names))


def test_what_builds_is_what_the_project_pins() -> None:
    pinned = pins("constraints.txt")
    assert {name: version for name, version in pins("build-tools.txt").items() if pinned.get(name) != version} == {}


def test_the_project_asks_for_what_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = pins("constraints.txt")
    for wanted in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        name, version = re.sub(r"\[.*\]", "", wanted).split("==")
        assert pinned[name.lower()] == version


def test_an_environment_is_made_anew_when_its_pins_change(tmp_path: Path) -> None:
    made = module("environment")
    file = tmp_path / "pins.txt"
    file.write_text("bottle==0.13.4\n")
    before = made.fingerprint(file)
    assert made.fingerprint(file) == before
    file.write_text("bottle==0.13.5\n")
    assert made.fingerprint(file) != before


def test_a_release_gets_the_hashes_of_its_own_files() -> None:
    files = {
        "left-1.0.tar.gz": "a" * 64,
        "left-1.0-py3-none-any.whl": "b" * 64,
        "left-1.0.1-py3-none-any.whl": "c" * 64,
        "left-1.0-py3-none-any.whl.metadata": "d" * 64,
        "left-0.9.oddity.tar.gz": "e" * 64,
    }
    assert module("pins").hashes("1.0", files) == ["a" * 64, "b" * 64]


def test_renewing_needs_an_index_that_has_the_release(tmp_path: Path) -> None:
    renewing = module("pins")
    file = tmp_path / "pins.txt"
    file.write_text("# Mine.\nleft==1.0\n")
    (tmp_path / "left").mkdir()
    (tmp_path / "left/index.html").write_text(f'<a href="left-2.0.tar.gz#sha256={"a" * 64}">left</a>')
    with served(tmp_path) as address, pytest.raises(renewing.CannotPin, match=r"left==1\.0"):
        renewing.renew(file, renewing.Index(address, None))


def test_renewing_lists_the_hashes_of_the_index(tmp_path: Path) -> None:
    renewing = module("pins")
    file = tmp_path / "pins.txt"
    file.write_text("# Mine.\nleft==1.0\n")
    (tmp_path / "left").mkdir()
    (tmp_path / "left/index.html").write_text(f'<a href="../files/left-1.0.tar.gz#sha256={"a" * 64}">left</a>')
    with served(tmp_path) as address:
        renewing.renew(file, renewing.Index(address, None))
    assert file.read_text() == f"# Mine.\nleft==1.0 \\\n    --hash=sha256:{'a' * 64}\n"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with answering(handler) as address:
        yield address


def test_no_package_source_is_named() -> None:
    told = "".join(path.read_text() for path in (ROOT / "packaging").glob("*.txt")) + (ROOT / "Makefile").read_text()
    assert "index-url" not in told
    assert "://" not in told

"""Every environment is made of pinned releases, and the pins say what `pyproject.toml` says."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("constraints.txt", "clients.txt", "legacy-clients.txt", "peers.txt", "tempest.txt")


def environment() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", ROOT / "packaging" / "environment.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / "packaging" / file).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("file", FILES)
def test_every_line_is_one_release_once(file: str) -> None:
    lines = (ROOT / "packaging" / file).read_text().splitlines()
    assert lines[0].startswith("# ")
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines[1:])
    names = [line.partition("==")[0].lower() for line in lines[1:]]
    assert len(set(names)) == len(names)
    assert names == sorted(names)


def test_the_project_asks_for_what_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {name.lower(): version for name, version in pins("constraints.txt").items()}
    for wanted in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        name, version = re.sub(r"\[.*\]", "", wanted).split("==")
        assert pinned[name.lower()] == version


def test_an_environment_is_made_anew_when_its_pins_change(tmp_path: Path) -> None:
    made = environment()
    file = tmp_path / "pins.txt"
    file.write_text("bottle==0.13.4\n")
    before = made.fingerprint(file, None)
    assert made.fingerprint(file, None) == before
    file.write_text("bottle==0.13.5\n")
    assert made.fingerprint(file, None) != before


def test_no_package_source_is_named() -> None:
    told = "".join(path.read_text() for path in (ROOT / "packaging").glob("*.txt")) + (ROOT / "Makefile").read_text()
    assert "index-url" not in told
    assert "://" not in told

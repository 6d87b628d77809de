"""Whatever is packed into the executable has an owner and the owner a licence text; the bill of materials says so."""

import importlib
import json
import sys
import sysconfig
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import bill
import inventory
import smoke_contents

ROOT = Path(__file__).parents[2]
SITE = Path(sysconfig.get_path("purelib"))


def package(site: Path, name: str, *, licence: str | None = None) -> str:
    """A package as pip would install it, with a compiled module; that module's file."""
    metadata = site / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n")
    module = site / f"{name}.so"
    module.write_bytes(b"")
    files = [f"{name}.so", f"{metadata.name}/METADATA"]
    if licence is not None:
        (metadata / "LICENSE.txt").write_text(licence)
        files.append(f"{metadata.name}/LICENSE.txt")
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return str(module)


def components(site: Path, *lines: tuple[str, str, str]) -> list[inventory.Component]:
    return inventory.inventory(lines, site, ROOT)


def test_a_package_brings_its_licence(tmp_path: Path) -> None:
    (found,) = components(tmp_path, ("left.so", package(tmp_path, "left", licence="Do what you like."), "EXTENSION"))
    assert (found.name, found.licence, found.texts, found.files) == ("left", "MIT", ["Do what you like."], {"left.so"})


def test_a_package_without_a_licence_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(inventory.Unlicensed, match="no licence text: left"):
        components(tmp_path, ("left.so", package(tmp_path, "left"), "EXTENSION"))


def test_a_file_of_nobody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stray.so").write_bytes(b"")
    with pytest.raises(inventory.Unlicensed, match="stray.so"):
        components(tmp_path / "site", ("stray.so", str(tmp_path / "stray.so"), "BINARY"))


def test_the_standard_library_is_pythons() -> None:
    (found,) = components(SITE, ("json", json.__file__, "PYMODULE"))
    assert found.name == "Python"


def test_what_was_compiled_into_a_package_is_listed_too() -> None:
    import cryptography

    found = {one.name for one in components(SITE, ("cryptography", cryptography.__file__, "PYMODULE"))}
    assert {"cryptography", "openssl", "pyo3"} <= found


@pytest.mark.parametrize("name", ["obstore", "psycopg_binary"])
def test_all_that_a_driver_brings_along_has_a_text(name: str) -> None:
    importlib.import_module("psycopg")
    found = components(SITE, (name, str(importlib.import_module(name).__file__), "PYMODULE"))
    assert len(found) > 5


def test_libraries_beside_a_driver_are_listed_with_their_versions() -> None:
    importlib.import_module("psycopg")
    found = components(SITE, ("psycopg", str(importlib.import_module("psycopg_binary").__file__), "PYMODULE"))
    assert {one.name for one in found if one.version} >= {"libpq", "krb5", "openssl-psycopg"}


@pytest.mark.parametrize(
    ("said", "needs"),
    [
        ("MIT OR Apache-2.0", False),
        ("Apache-2.0", False),
        ("MIT", True),
        ("Apache-2.0 AND ISC", True),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
        ("Apache-2.0 AND (Apache-2.0 OR ISC)", False),
    ],
)
def test_a_rust_package_needs_a_text_unless_the_apache_licence_is_enough(said: str, needs: bool) -> None:
    assert inventory.needs_own_text({"name": "left", "licenses": [{"expression": said}]}) == needs


def test_no_text_that_is_kept_of_a_rust_package_is_a_form_to_fill_in() -> None:
    assert "<year>" not in inventory.CRATES.read_text()


@pytest.mark.parametrize("text", sorted((ROOT / "packaging/licenses").iterdir()), ids=lambda path: str(path.stem))
def test_no_kept_text_is_empty(text: Path) -> None:
    assert len(text.read_text()) > 100


def test_a_text_that_several_share_is_printed_once(tmp_path: Path) -> None:
    lines = [
        (f"{name}.so", package(tmp_path, name, licence="Shared words."), "EXTENSION") for name in ("left", "right")
    ]
    assert bill.licences(components(tmp_path, *lines)).count("Shared words.") == 1


def test_the_same_components_make_the_same_bill(tmp_path: Path) -> None:
    found = components(tmp_path, ("left.so", package(tmp_path, "left", licence="Words."), "EXTENSION"))
    assert bill.cyclonedx(found, "1.0", 0) == bill.cyclonedx(found, "1.0", 0)


def test_the_bill_says_whose_a_file_is(tmp_path: Path) -> None:
    found = components(tmp_path, ("left.so", package(tmp_path, "left", licence="Words."), "EXTENSION"))
    (listed,) = json.loads(bill.cyclonedx(found, "1.0", 0))["components"]
    assert listed["evidence"]["occurrences"] == [{"location": "left.so"}]


@pytest.mark.parametrize(
    ("said", "described"),
    [
        ("MIT", {"license": {"id": "MIT"}}),
        ("MIT OR Apache-2.0", {"expression": "MIT OR Apache-2.0"}),
        ("Something of its own", {"license": {"name": "Something of its own"}}),
    ],
)
def test_a_licence_is_named_as_the_bill_wants_it(said: str, described: dict[str, object]) -> None:
    found = [inventory.Component("left", "1.0", "pkg:pypi/left@1.0", said, ["Words."])]
    assert json.loads(bill.cyclonedx(found, "1.0", 0))["components"][0]["licenses"] == [described]


@pytest.fixture
def sound(tmp_path: Path) -> tuple[str, str]:
    """The bill and the licences of one package."""
    found = components(tmp_path, ("left.so", package(tmp_path, "left", licence="Words."), "EXTENSION"))
    return bill.cyclonedx(found, "1.0", 0), bill.licences(found)


def test_a_sound_executable_has_no_faults(sound: tuple[str, str]) -> None:
    assert smoke_contents.faults(["left.so"], *sound) == []


@pytest.mark.parametrize("name", ["libreadline.so.8", "lib-dynload/readline.so", "libtinfo.so.6"])
def test_readline_is_found_in_an_executable(sound: tuple[str, str], name: str) -> None:
    assert f"{name} must not be in it" in smoke_contents.faults([name], *sound)


def test_a_library_that_the_bill_does_not_name_is_found(sound: tuple[str, str]) -> None:
    assert smoke_contents.faults(["libstray.so"], *sound) == ["the bill of materials does not say whose libstray.so is"]


def test_a_component_without_a_text_in_the_executable_is_found(sound: tuple[str, str]) -> None:
    assert smoke_contents.faults(["left.so"], sound[0], "") == ["left 1.0 has no licence text in it"]


def test_old_libraries_are_found() -> None:
    told = "openssl 1.1.1\nopenssl-cryptography 4.0.3\nsqlite 3.34.1\nzlib 1.2.13\n"
    assert [line.split()[0] for line in smoke_contents.outdated(told)] == ["openssl", "sqlite"]


def test_a_library_that_is_not_named_counts_as_old() -> None:
    assert len(smoke_contents.outdated("")) == len(smoke_contents.OLDEST)


def test_what_the_console_takes_from_others_is_listed_with_its_licences() -> None:
    file = inventory.VENDORED / "view.js"
    found = components(SITE, ("static/vendor/view.js", str(file), "DATA"))
    licences = {one.name: one.licence for one in found if one.name != inventory.OURS}
    assert licences == {
        "preact": "MIT",
        "@preact/signals": "MIT",
        "@preact/signals-core": "MIT",
        "htm": "Apache-2.0",
        "lucide-static": "ISC",
    }

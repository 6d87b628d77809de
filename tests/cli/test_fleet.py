"""`peer`, `feed` and `bundle`, of a directory at rest and of a running appliance."""

import os
from pathlib import Path

import pytest

from appliance.certificates import Authority
from appliance.fleet.keys import fingerprint as key_fingerprint
from tests.cli.conftest import Program
from tests.data_directory import data, opened
from tests.e2e.conftest import Appliance
from tests.server.conftest import authority

__all__ = ["authority"]


@pytest.fixture
def center(tmp_path: Path) -> Path:
    """A directory at rest with an image in it."""
    path = tmp_path / "center"
    with opened(path) as it:
        it.add(data(), "debian")
    return path


def fingerprint(program: Program, directory: Path) -> str:
    return program("peer", "show", "--data-dir", directory, "-f", "value", "-c", "fingerprint").text.strip()


@pytest.fixture
def bundle(program: Program, center: Path) -> Path:
    program("feed", "create", "golden", "--visibility", "public", "--data-dir", center)
    program("bundle", "export", "golden", "golden.tar", "--data-dir", center)
    return program.home / "golden.tar"


def empty(path: Path) -> Path:
    with opened(path):
        return path


def test_a_bundle_goes_from_directory_to_directory(
    program: Program, center: Path, bundle: Path, tmp_path: Path
) -> None:
    edge = empty(tmp_path / "edge")
    told = program("bundle", "import", bundle, "--origin", fingerprint(program, center), "--data-dir", edge).text
    assert told == "the feed golden is at entry 1: 1 created\n"
    assert program("bundle", "import", bundle, "--data-dir", edge).text.endswith("nothing was new\n")
    receipt = bundle.with_name("golden.tar.receipt")
    program("bundle", "export", "golden", "more.tar", "--since", receipt, "--data-dir", center)
    assert (bundle.with_name("more.tar")).stat().st_size < 10_000
    with opened(edge) as it:
        assert it.images.stores.default.writer.index.maintenance.totals().contents == 1


def test_a_bundle_reaches_a_running_appliance(
    program: Program, center: Path, bundle: Path, server: Appliance, admin: Program
) -> None:
    origin = ("--origin", fingerprint(program, center))
    program("bundle", "import", bundle, *origin, "--name", "from-afar", "--data-dir", server.directory)
    images = program("feed", "show", "from-afar", "--data-dir", server.directory, "-f", "json").json
    assert [image["state"] for image in images] == ["here"]
    assert admin("image", "show", images[0]["id"], "-f", "json").json["status"] == "active"
    program("bundle", "export", "from-afar", "relayed.tar", "--data-dir", server.directory)
    assert "with data" in program("bundle", "inspect", "relayed.tar", "--deep").text
    program("feed", "delete", "from-afar", "--data-dir", server.directory)


@pytest.mark.parametrize("typed", ["typed?all", "typed#all", "typed/", "../feeds/typed"])
def test_a_name_that_is_none_stands_for_no_other_feed(program: Program, server: Appliance, typed: str) -> None:
    where = ("--data-dir", server.directory)
    program("feed", "create", "typed", "--all", *where)
    program("feed", "delete", typed, *where, code=1)
    assert program("feed", "show", "typed", *where, "-f", "json").json is not None
    program("feed", "delete", "typed", *where)


def test_a_refusal_of_a_running_appliance_is_one_sentence(program: Program, bundle: Path, server: Appliance) -> None:
    ended = program("bundle", "import", bundle, "--data-dir", server.directory, code=1)
    assert "which is not known here" in ended.sentence()


def test_a_bundle_comes_in_parts(program: Program, tmp_path: Path) -> None:
    center, edge = tmp_path / "center", empty(tmp_path / "edge")
    with opened(center) as it:
        it.add(os.urandom(3 << 20), "debian")
    program("feed", "create", "golden", "--all", "--data-dir", center)
    program("bundle", "export", "golden", "b.tar", "--split", "1M", "--data-dir", center)
    parts = sorted(program.home.glob("b.tar.*"))
    assert len(parts) == 4 and all(path.stat().st_size < 1 << 20 for path in parts)
    origin = ("--origin", fingerprint(program, center))
    for number in (1, 3):
        parts[number].rename(tmp_path / "away")
        ended = program("bundle", "import", "b.tar", *origin, "--data-dir", edge, code=1)
        assert f"b.tar.00{number} is missing" in ended.sentence()
        (tmp_path / "away").rename(parts[number])
    assert "1 created" in program("bundle", "import", "b.tar.000", *origin, "--data-dir", edge).text


def test_a_torn_file_is_told_before_anything_is_read(program: Program, bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-2000])
    assert "golden.tar is torn" in program("bundle", "inspect", bundle, code=1).sentence()


def test_what_is_no_bundle_is_told(program: Program) -> None:
    (program.home / "x").write_bytes(b"not a bundle" * 100)
    assert "not a tar archive" in program("bundle", "inspect", "x", code=1).sentence()


def test_nothing_is_written_over(program: Program, center: Path, bundle: Path) -> None:
    ended = program("bundle", "export", "golden", bundle, "--data-dir", center, code=1)
    assert "is there already" in ended.sentence()


def test_a_feed_of_everything_is_said_so(program: Program, center: Path) -> None:
    ended = program("feed", "create", "golden", "--data-dir", center, code=1)
    assert "A feed needs a filter" in ended.sentence()


def test_peers_are_paired_and_parted_from(program: Program, center: Path, tmp_path: Path) -> None:
    edge = empty(tmp_path / "edge")
    site = program("peer", "show", "--data-dir", center, "-f", "json").json
    pair = ("peer", "pair", "center", "--key", site["key"], "--data-dir", edge, "--fingerprint")
    wrong = program(*pair, "0" * 32, code=1).sentence()
    assert wrong.startswith(f"The site's key has the fingerprint {site['fingerprint']}")
    program(*pair, site["fingerprint"].replace("-", " "))
    assert site["fingerprint"] in program("peer", "list", "--data-dir", edge).text
    program("peer", "remove", "center", "--data-dir", edge)
    assert program("peer", "list", "--data-dir", edge, "-f", "json").json == []


def test_a_peer_moves_and_gets_another_certificate(program: Program, tmp_path: Path, authority: Authority) -> None:
    edge = empty(tmp_path / "edge")
    key = "d7" * 32
    known = ("--key", key, "--fingerprint", key_fingerprint(key), "--pin", "AB:" * 31 + "AB")
    program("peer", "pair", "center", *known, "--data-dir", edge)
    moved = ("--url", "https://new.example.com/", "--ca", authority.certificate)
    shown = program("peer", "set", "center", *moved, "--data-dir", edge, "-f", "json").json
    assert (shown["url"], shown["pin"]) == ("https://new.example.com", None)
    assert shown["ca"] == authority.certificate.read_text()


def test_a_feed_is_handed_on_in_its_hours_and_at_its_rate(program: Program, center: Path) -> None:
    limits = ("--serve-between", "22:00-06:00", "--serve-limit", "4M")
    made = program("feed", "create", "golden", "--all", *limits, "--data-dir", center, "-f", "json").json
    assert (made["serve_hours"], made["serve_rate"]) == ("22:00-06:00", 4 << 20)
    set_ = program("feed", "set", "golden", "--serve-limit", "0", "--data-dir", center, "-f", "json").json
    assert (set_["serve_hours"], set_["serve_rate"]) == ("22:00-06:00", 0)


def test_the_terms_of_a_feed_change(program: Program, center: Path, bundle: Path, tmp_path: Path) -> None:
    edge = empty(tmp_path / "edge")
    program("bundle", "import", bundle, "--origin", fingerprint(program, center), "--data-dir", edge)
    changed = program("feed", "set", "golden", "--policy", "keep", "--data-dir", edge, "-f", "json").json
    assert changed["policy"] == "keep"
    assert (
        "can't be changed" in program("feed", "set", "golden", "--policy", "keep", "--data-dir", center, code=1).error
    )

"""Sealing: readable with the key, not without it, and not by accident."""

from pathlib import Path

import pytest

from appliance.errors import Corrupt, Fatal
from appliance.identity.tokens.keyring import Sealer


def test_what_was_sealed_is_opened_after_a_restart(tmp_path: Path) -> None:
    sealed = Sealer(tmp_path / "keys").seal("a secret ü")
    assert "secret" not in sealed
    assert Sealer(tmp_path / "keys").open(sealed) == "a secret ü"


def test_a_new_key_in_front_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    old = Sealer(tmp_path)
    newer = Sealer(tmp_path / "other")
    file, other = tmp_path / "credential-keys", tmp_path / "other" / "credential-keys"
    file.write_bytes(other.read_bytes() + file.read_bytes())
    both = Sealer(tmp_path)
    assert both.open(old.seal("x")) == "x"
    assert newer.open(both.seal("y")) == "y"


def test_without_its_key_nothing_is_opened(tmp_path: Path) -> None:
    with pytest.raises(Corrupt):
        Sealer(tmp_path / "a").open(Sealer(tmp_path / "b").seal("x"))


@pytest.mark.parametrize("content", [b"", b"no key"])
def test_a_damaged_key_file_is_fatal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "credential-keys").write_bytes(content)
    with pytest.raises(Fatal):
        Sealer(tmp_path)

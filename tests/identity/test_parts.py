"""The small parts of the identity package on their own: one-time passwords, secrets at rest, keys."""

import base64
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Fatal, Invalid, Unauthenticated
from appliance.identity.auth.passwords import DEFAULT_COST, Cost, Passwords
from appliance.identity.auth.totp import passcode
from appliance.identity.tokens.keyring import Keyring

CHEAP = Cost(n=16, r=1, p=1)
SEED = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("second", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_passcodes_are_those_of_the_standard(second: int, code: str) -> None:
    assert passcode(SEED, second * 1_000_000) == code
    assert passcode(SEED.rstrip("="), second * 1_000_000) == code


def test_a_seed_that_is_no_base32_has_no_passcode() -> None:
    assert passcode("not base32!", 0) is None


def test_a_secret_is_verified_and_never_stored_as_it_is() -> None:
    passwords = Passwords(CHEAP)
    stored = passwords.hash("open sesame")
    assert stored.startswith("$scrypt$v=2,n=16,r=1,p=1$") and "sesame" not in stored
    assert stored != passwords.hash("open sesame")
    assert passwords.verify("open sesame", stored)
    assert not passwords.verify("open", stored)
    assert not passwords.verify("open sesame", None)


def test_a_hash_made_at_another_cost_stays_valid() -> None:
    stored = Passwords(Cost(n=32, r=2, p=2)).hash("x")
    assert Passwords(CHEAP).verify("x", stored)


def test_the_default_cost_is_what_the_documents_say() -> None:
    assert Cost(2**16, 8, 1) == DEFAULT_COST


def test_a_secret_that_is_too_long_is_refused() -> None:
    passwords = Passwords(CHEAP, max_length=10)
    with pytest.raises(Invalid):
        passwords.hash("é" * 6)
    assert not passwords.verify("x" * 11, passwords.hash("x"))


def test_keys_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    first = Keyring(tmp_path / "keys", 1)
    token = first.sign({"sub": "a"})
    assert Keyring(tmp_path / "keys", 2).verify(token) == {"sub": "a"}
    assert (tmp_path / "keys" / "private.pem").stat().st_mode & 0o077 == 0


def test_a_key_that_someone_else_brings_is_accepted_and_kept(tmp_path: Path) -> None:
    other = Keyring(tmp_path / "other", 1)
    ours = Keyring(tmp_path / "ours", 1)
    (tmp_path / "ours" / "public" / "central.pem").write_text(other.public_pems()[0])
    ours.reload()
    assert ours.verify(other.sign({"sub": "b"})) == {"sub": "b"}
    ours.rotate(10**15, retain=0)
    ours.rotate(10**15 + 1, retain=0)
    assert ours.verify(other.sign({"sub": "b"})) == {"sub": "b"}


def test_a_key_that_another_thread_has_just_found_is_read(tmp_path: Path) -> None:
    ours, other = Keyring(tmp_path / "keys", 1), Keyring(tmp_path / "keys", 1)
    other.rotate(10**15, retain=10**15)
    assert ours.verify(other.sign({"sub": "c"})) == {"sub": "c"}


def test_a_damaged_key_that_is_put_there_costs_no_more_than_its_tokens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, stranger = Keyring(tmp_path / "keys", 1), Keyring(tmp_path / "other", 1)
    (tmp_path / "keys" / "public" / "central.pem").write_bytes(b"junk")
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            ours.verify(stranger.sign({"sub": "d"}))
    assert ours.verify(ours.sign({"sub": "a"})) == {"sub": "a"}
    assert [record.message for record in caplog.records if "can't be read" in record.message] == caplog.messages
    assert len(caplog.messages) == 1, "whoever forges tokens fills no log"


@pytest.mark.parametrize("damage", [b"", b"junk"])
def test_damaged_keys_stop_the_start_with_a_sentence(tmp_path: Path, damage: bytes) -> None:
    Keyring(tmp_path / "keys", 1)
    (tmp_path / "keys" / "private.pem").write_bytes(damage)
    with pytest.raises(Fatal, match="can't be read"):
        Keyring(tmp_path / "keys", 2)


def test_header_of_a_token_is_keystones(tmp_path: Path) -> None:
    header: Any = Keyring(tmp_path / "keys", 1).sign({"sub": "a"}).split(".")[0]
    assert base64.urlsafe_b64decode(header + "==") == b'{"alg":"ES256","typ":"JWT"}'

"""Different secrets are different to the hash, and hashes of before are renewed when their secret is shown."""

import base64
import hashlib

import pytest

from appliance.errors import Invalid
from appliance.identity.auth.passwords import Cost, Passwords

CHEAP = Cost(n=16, r=1, p=1)
LONG = "é" * 40


def of_before(secret: str) -> str:
    """A hash as it was stored before version 2."""
    digest = hashlib.scrypt(secret.encode(), salt=b"salt", n=16, r=1, p=1, dklen=32)
    parts = (base64.b64encode(part).decode().rstrip("=") for part in (b"salt", digest))
    return "$".join(("", "scrypt", "n=16,r=1,p=1", *parts))


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(CHEAP)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("right", "right\0"),
        ("right", "right\0\0\0"),
        ("right", "right\0right"),
        ("right\0", "right"),
        ("", "\0"),
        ("x" * 64, "x" * 64 + "\0"),
        ("x" * 65, "x" * 65 + "\0"),
        ("x" * 72, "x" * 73),
        ("\ud800", "?"),
    ],
)
def test_only_the_secret_itself_is_right(passwords: Passwords, secret: str, shown: str) -> None:
    stored = passwords.hash(secret)
    assert passwords.verify(secret, stored)
    assert not passwords.verify(shown, stored)


def test_a_digest_of_a_long_secret_is_not_the_secret() -> None:
    # HMAC takes the SHA-256 of a key above 64 bytes for the key. Few of them are text, so bytes stand in.
    digest = hashlib.sha256(b"x" * 65).digest()

    def plain(key: bytes) -> bytes:
        return hashlib.scrypt(key, salt=b"salt", n=16, r=1, p=1, dklen=32)

    assert plain(b"x" * 65) == plain(digest)
    assert plain(hashlib.sha512(b"x" * 65).digest()) != plain(hashlib.sha512(digest).digest())


@pytest.mark.parametrize("secret", ["right", "", LONG, "x" * 64, "x" * 65, "nul\0inside"])
def test_a_hash_of_before_is_still_that_of_its_secret(passwords: Passwords, secret: str) -> None:
    assert passwords.verify(secret, of_before(secret))
    assert not passwords.verify(secret + "!", of_before(secret))


@pytest.mark.parametrize("shown", ["right\0", "right\0\0"])
def test_a_hash_of_before_is_not_that_of_the_secret_with_zeros(passwords: Passwords, shown: str) -> None:
    assert not passwords.verify(shown, of_before("right"))


def test_a_hash_of_before_is_renewed_and_one_of_today_is_not(passwords: Passwords) -> None:
    renewed = passwords.renewed("right", of_before("right"))
    assert renewed is not None and passwords.verify("right", renewed)
    assert not passwords.verify("right\0", renewed)
    assert passwords.renewed("right", renewed) is None


def test_a_hash_at_another_cost_is_renewed() -> None:
    stored = Passwords(Cost(n=32, r=1, p=1)).hash("right")
    assert Passwords(CHEAP).renewed("right", stored) is not None


def test_the_longest_secret_is_counted_in_bytes() -> None:
    passwords = Passwords(CHEAP, max_length=4)
    assert passwords.verify("éé", passwords.hash("éé"))
    with pytest.raises(Invalid):
        passwords.hash("ééx")


def test_a_check_is_made_when_the_turn_has_come(passwords: Passwords) -> None:
    def refuse() -> None:
        raise Invalid("no more")

    with pytest.raises(Invalid, match="no more"):
        passwords.verify("right", passwords.hash("right"), refuse)

"""The checker finds each thing that may not happen, and nothing in what may."""

import pytest

from tests.nodes.history import OK, REFUSED, UNKNOWN, Call, History, violations

D = "digest"
LIFE = [Call("create", "i", 0, "", 1, OK), Call("upload", "i", 2, D, 3, OK)]
GONE = Call("delete", "i", 10, "", 11, OK)


def found(*calls: Call, quota: int = 2) -> list[str]:
    return violations(History(list(calls)), quota)


@pytest.mark.parametrize(
    "call",
    [
        Call("read", "i", 4, D, 5, OK),
        Call("show", "i", 4, "active", 5, OK),
        Call("show", "i", 1.5, "queued", 1.8, OK),
        Call("show", "i", 2.5, "saving", 2.6, OK),
        Call("read", "i", 10.5, D, 12, OK),
        Call("read", "i", 12, "", 13, REFUSED),
        Call("read", "i", 4, "", 5, UNKNOWN),
        Call("upload", "i", 4, "other", 5, REFUSED),
    ],
    ids=str,
)
def test_what_may_happen_to_an_image(call: Call) -> None:
    assert found(*LIFE, GONE, call) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (Call("read", "i", 4, "other", 5, OK), "nobody uploaded"),
        (Call("read", "i", 4, "", 5, OK), "bytes of an acknowledged upload are gone"),
        (Call("read", "i", 4, "", 5, REFUSED), "an image is lost"),
        (Call("show", "i", 4, "queued", 5, OK), "undone"),
        (Call("show", "i", 12, "active", 13, OK), "came back"),
        (Call("read", "i", 12, D, 13, OK), "came back"),
        (Call("upload", "i", 4, "other", 5, OK), "two uploads"),
    ],
    ids=str,
)
def test_what_may_not(call: Call, said: str) -> None:
    (only,) = found(*LIFE, GONE, call)
    assert said in only


def test_an_upload_whose_answer_was_lost_may_have_been_stored() -> None:
    assert found(LIFE[0], Call("upload", "i", 2, D), Call("read", "i", 4, D, 5, OK)) == []


def test_a_delete_whose_answer_was_lost_may_have_happened() -> None:
    assert found(*LIFE, Call("delete", "i", 3.5), Call("read", "i", 4, "", 5, REFUSED)) == []


TWO = [Call("take", "a", 0, "", 1, OK), Call("take", "b", 0, "", 1, OK)]


def test_a_quota_that_was_passed_is_found() -> None:
    assert "3 images of 2" in found(*TWO, Call("take", "c", 2, "", 3, OK))[0]


def test_a_quota_is_free_again_after_a_delete() -> None:
    assert found(*TWO, Call("free", "a", 1.5, "", 1.8, OK), Call("take", "c", 2, "", 3, OK)) == []


def test_a_refusal_with_room_left_is_found() -> None:
    assert "refused" in found(TWO[0], Call("take", "c", 2, "", 3, REFUSED))[0]


def test_a_refusal_is_right_while_a_lost_answer_may_have_taken_the_room() -> None:
    assert found(TWO[0], Call("take", "b", 0), Call("take", "c", 2, "", 3, REFUSED)) == []


REVOKED = Call("revoke", "t", 5, "", 6, OK)


def test_a_revoked_token_that_is_taken_is_found() -> None:
    assert "revoked token" in found(REVOKED, Call("use", "t", 6.1, "", 7, OK))[0]


def test_a_token_that_is_used_while_it_is_revoked_may_be_taken_or_not() -> None:
    assert found(REVOKED, Call("use", "t", 5.5, "", 7, OK), Call("use", "t", 5.5, "", 7, REFUSED)) == []


def test_a_good_token_that_is_refused_is_found() -> None:
    assert "good token" in found(REVOKED, Call("use", "t", 1, "", 2, REFUSED))[0]

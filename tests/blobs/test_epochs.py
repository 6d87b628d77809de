"""What a collector may take for past: nothing that another process may still have met as it was before."""

import itertools

import pytest

from appliance.blobs.epochs import Horizon


class Counted:
    """Others whose epochs are set by hand: `oldest` is that of the oldest thing that they are at."""

    may_remove = True

    def __init__(self) -> None:
        self.epoch = 1
        self.oldest = 1

    def begin_epoch(self) -> int:
        self.epoch += 1
        return self.epoch

    def passed_epoch(self) -> int:
        return self.oldest


@pytest.fixture
def others() -> Counted:
    return Counted()


@pytest.fixture
def horizon(others: Counted) -> Horizon:
    ticks = itertools.count(100)
    return Horizon(others, lambda: next(ticks))


def test_where_there_are_no_others_all_is_past() -> None:
    horizon = Horizon(None, lambda: 7)
    horizon.begin_pass()
    assert horizon.is_past("x") and horizon.marks_until() == 7


def test_what_has_just_been_seen_is_not_past_even_if_all_know_the_epoch(horizon: Horizon, others: Counted) -> None:
    """Somebody may have begun to read it after the epoch began, and before it was released."""
    horizon.begin_pass()
    others.oldest = others.epoch
    assert not horizon.is_past("x")


def test_it_is_past_when_all_have_come_to_a_later_epoch(horizon: Horizon, others: Counted) -> None:
    horizon.begin_pass()
    horizon.is_past("x")
    horizon.end_pass()
    assert not horizon.is_past("x")
    others.oldest = others.epoch
    assert horizon.is_past("x")


def test_one_that_was_forgotten_begins_anew(horizon: Horizon, others: Counted) -> None:
    horizon.begin_pass()
    horizon.is_past("x")
    horizon.end_pass()
    others.oldest = others.epoch
    horizon.forget("x")
    horizon.begin_pass()
    assert not horizon.is_past("x")


def test_marks_of_before_an_epoch_are_past_when_all_have_come_to_it(horizon: Horizon, others: Counted) -> None:
    horizon.begin_pass()
    assert horizon.marks_until() == -1
    others.oldest = others.epoch
    assert horizon.marks_until() == 100
    horizon.begin_pass()
    assert horizon.marks_until() == 100

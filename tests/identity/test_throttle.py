"""Who has shown too many wrong secrets has to wait; who has not, does not notice."""

import math
from collections.abc import Callable

import pytest

from appliance.errors import NotFound, TooManyRequests, Unauthenticated
from appliance.identity.auth.throttle import Allowed, Throttle, network_of

ALLOWED = Allowed(pair=3, account=12, address=20, delay=60)


class Guesses:
    """A throttle, and time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.throttle = Throttle(ALLOWED, lambda: int(self.now * 1_000_000))

    def guess(self, account: str, address: str, *, wrong: bool = True, weight: float = 1.0) -> int:
        """Seconds that this guess is told to wait; 0 if it was let through."""
        try:
            with self.throttle.attempt(address) as attempt:
                attempt.on(account, weight)
                if wrong:
                    raise Unauthenticated("wrong")
            attempt.succeeded()
        except TooManyRequests as error:
            return error.retry_after
        except Unauthenticated:
            return 0
        return 0

    def waits(self, account: str, address: str, count: int) -> list[int]:
        return [self.guess(account, address) for _ in range(count)]


@pytest.fixture
def guesses() -> Guesses:
    return Guesses()


def test_the_first_wrong_secrets_are_free_and_the_next_is_held_back(guesses: Guesses) -> None:
    assert guesses.waits("anna", "192.0.2.1", 5) == [0, 0, 0, 0, 1]


def test_the_wait_doubles_up_to_the_longest(guesses: Guesses) -> None:
    guesses.waits("anna", "192.0.2.1", 3)
    seen = []
    for _ in range(9):
        assert guesses.guess("anna", "192.0.2.1") == 0
        seen.append(guesses.guess("anna", "192.0.2.1"))
        guesses.now += seen[-1]
    # A little is forgotten meanwhile.
    assert seen == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_asking_during_the_wait_does_not_prolong_it(guesses: Guesses) -> None:
    guesses.waits("anna", "192.0.2.1", 50)
    guesses.now += 1
    assert guesses.guess("anna", "192.0.2.1", wrong=False) == 0


def test_guesses_from_one_address_keep_nobody_out_at_another(guesses: Guesses) -> None:
    guesses.throttle = Throttle(Allowed(), lambda: int(guesses.now * 1_000_000))
    for _ in range(24 * 360):
        guesses.waits("anna", "192.0.2.1", 2)
        guesses.now += 10
    assert guesses.guess("anna", "192.0.2.1") > 0
    assert guesses.guess("anna", "198.51.100.1", wrong=False) == 0


def test_many_addresses_together_are_held_back_too(guesses: Guesses) -> None:
    let_through = sum(guesses.guess("anna", f"192.0.2.{n}") == 0 for n in range(200))
    assert let_through == ALLOWED.account + 1


def test_an_account_under_attack_logs_in_from_its_usual_address(guesses: Guesses) -> None:
    guesses.guess("anna", "198.51.100.1", wrong=False)
    for n in range(200):
        guesses.guess("anna", f"192.0.2.{n}")
    assert guesses.guess("anna", "198.51.100.1", wrong=False) == 0
    assert 0 < guesses.guess("anna", "198.51.100.2", wrong=False) <= ALLOWED.delay


def test_an_address_that_tries_many_accounts_is_held_back(guesses: Guesses) -> None:
    let_through = sum(guesses.guess(f"user {n}", "192.0.2.1") == 0 for n in range(200))
    assert let_through == ALLOWED.address + 1
    assert guesses.guess("user 1", "192.0.2.2") == 0


def test_others_behind_the_same_address_are_not_kept_out_if_they_have_logged_in_from_it(guesses: Guesses) -> None:
    guesses.guess("anna", "192.0.2.1", wrong=False)
    for n in range(200):
        guesses.guess(f"user {n}", "192.0.2.1")
    assert guesses.guess("anna", "192.0.2.1", wrong=False) == 0
    assert guesses.guess("bert", "192.0.2.1", wrong=False) > 0


def test_a_right_secret_does_not_wipe_out_wrong_ones(guesses: Guesses) -> None:
    # Else whoever knows the password might guess at the passcode without end.
    for _ in range(4):
        assert guesses.guess("anna", "192.0.2.1", wrong=False) == 0
        guesses.guess("anna", "192.0.2.1")
    assert guesses.guess("anna", "192.0.2.1") == 1


def test_everything_is_forgotten_within_an_hour(guesses: Guesses) -> None:
    guesses.waits("anna", "192.0.2.1", 4)
    guesses.now += 2 * 3600
    assert guesses.waits("anna", "192.0.2.1", 5) == [0, 0, 0, 0, 1]


def test_any_number_of_right_secrets_is_let_through(guesses: Guesses) -> None:
    assert not any(guesses.guess("anna", "192.0.2.1", wrong=False) for _ in range(1000))


def test_a_wrong_passcode_counts_for_more(guesses: Guesses) -> None:
    assert guesses.guess("anna", "192.0.2.1", weight=3) == 0
    assert guesses.guess("anna", "192.0.2.1", weight=3) == 0
    assert guesses.guess("anna", "192.0.2.1", weight=3) == 4


def test_what_is_checked_again_when_its_turn_comes_sees_what_failed_meanwhile(guesses: Guesses) -> None:
    with guesses.throttle.attempt("192.0.2.1") as attempt:
        attempt.on("anna")
        guesses.waits("anna", "192.0.2.1", 4)
        with pytest.raises(TooManyRequests):
            attempt.check()


def test_an_account_that_does_not_exist_is_counted(guesses: Guesses) -> None:
    for _ in range(4):
        with pytest.raises(NotFound), guesses.throttle.attempt("192.0.2.1") as attempt:
            attempt.on("no such key")
            raise NotFound("nothing")
    assert guesses.guess("no such key", "192.0.2.1") == 1


def test_a_service_that_shows_others_signatures_has_no_limit_of_its_own(guesses: Guesses) -> None:
    for n in range(100):
        with pytest.raises(Unauthenticated), guesses.throttle.attempt("192.0.2.1", many_behind=True) as attempt:
            attempt.on(f"key {n}")
            raise Unauthenticated("wrong")
    assert guesses.guess("anna", "192.0.2.1") == 0


@pytest.mark.parametrize(
    "vary",
    [
        lambda n: (f"user {n}", "192.0.2.1"),
        lambda n: ("anna", f"2001:db8:0:{n:x}::1"),
        lambda n: ("x" * 1000 + str(n), f"192.0.{n >> 8 & 255}.{n & 255}"),
    ],
)
def test_what_is_kept_is_bounded(vary: Callable[[int], tuple[str, str]]) -> None:
    throttle = Throttle(Allowed(pair=10**6, account=10**6, address=10**6), most_keys=64)
    for n in range(1000):
        account, address = vary(n)
        throttle.failed(account, network_of(address), 1.0, many_behind=False)
        throttle.succeeded(account, network_of(address))
    assert throttle.size <= 4 * 64


def test_a_flood_of_other_accounts_does_not_make_an_attacked_one_forgotten(guesses: Guesses) -> None:
    throttle = Throttle(Allowed(pair=10**6, account=10, address=10**6), most_keys=64)
    for n in range(1000):
        throttle.failed(f"user {n}", "192.0.2.1", 1.0, many_behind=False)
        if n % 50 == 0:
            throttle.failed("anna", f"192.0.2.{n // 50}", 1.0, many_behind=False)
    assert throttle.wait("anna", "198.51.100.1", many_behind=False) > 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_the_longest_wait_is_a_whole_number_of_seconds_at_least_one(guesses: Guesses) -> None:
    guesses.waits("anna", "192.0.2.1", 4)
    guesses.now += 0.9
    wait = guesses.guess("anna", "192.0.2.1")
    assert wait == math.ceil(0.1)

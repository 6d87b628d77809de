"""Limits on guessing secrets: who has shown too many wrong ones has to wait, longer each time."""

import hashlib
import ipaddress
import logging
import math
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from types import TracebackType

from appliance.errors import NotFound, TooManyRequests, Unauthenticated
from appliance.identity.tokens.token import SECOND
from appliance.values import Clock, Micros, elapsed

_log = logging.getLogger(__name__)

_HOUR = 3600.0
PASSCODE_WEIGHT = 3.0
"""A six-digit code is worth guessing at: one wrong code counts as three wrong passwords."""
SIGNATURE_WEIGHT = 0.1
"""Secrets of signatures are long and random, and one service shows the signatures of many clients."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Wrong secrets an hour that go unpunished, and the longest wait of those that don't, in seconds."""

    pair: int = 10
    """For one account from one address."""
    account: int = 300
    """For one account from anywhere it has not logged in from before. One address alone never gets there, as long as
    it has to wait for `delay` each time."""
    address: int = 300
    """From one address, for all accounts that have not logged in from there before."""
    delay: int = 60


class Throttle:
    """Counts wrong secrets in memory, by account and address. It knows nothing of whether an account exists.

    The pair of an account and an address has the lowest limit, so that guesses from one place don't keep the account's
    owner out at another. The limit of the account bounds what many addresses can do together; a pair that has logged
    in before is exempt from it, so that they can't keep the owner out of the usual places. It is exempt from the limit
    of the address too, so that one guesser behind a shared address does not keep everybody else out.
    """

    def __init__(self, allowed: Allowed | None = None, elapsed: Clock = elapsed, most_keys: int = 16_384) -> None:
        """Of each kind of count `most_keys` are kept, some 200 bytes each; what was touched last is kept."""
        allowed = allowed or Allowed()
        self._lock = threading.Lock()
        self._key = os.urandom(16)
        self._pairs = _Counts(Rule(allowed.pair, allowed.delay), elapsed, most_keys)
        self._accounts = _Counts(Rule(allowed.account, allowed.delay), elapsed, most_keys)
        self._addresses = _Counts(Rule(allowed.address, allowed.delay), elapsed, most_keys)
        self._most_keys = most_keys
        self._known: OrderedDict[int, None] = OrderedDict()

    def attempt(self, address: str, *, many_behind: bool = False) -> "Attempt":
        """One request that shows secrets. With `many_behind`, the address is a service's that passes on what others
        have shown it, and has no limit of its own."""
        return Attempt(self, network_of(address), many_behind=many_behind)

    def wait(self, account: str, address: str, *, many_behind: bool) -> float:
        """Seconds until this account's secret may be shown from this address; 0 is now."""
        pair = self._digest(account, address)
        with self._lock:
            waits = [self._pairs.wait(pair)]
            if pair not in self._known:
                waits.append(self._accounts.wait(self._digest(account)))
                if not many_behind:
                    waits.append(self._addresses.wait(self._digest("", address)))
        return max(waits)

    def failed(self, account: str, address: str, weight: float, *, many_behind: bool) -> None:
        pair = self._digest(account, address)
        with self._lock:
            first = self._pairs.add(pair, weight)
            self._accounts.add(self._digest(account), weight)
            if not many_behind:
                self._addresses.add(self._digest("", address), weight)
        if first:
            tell_held_back(address)

    def succeeded(self, account: str, address: str) -> None:
        """From now on this is one of the account's usual addresses. What was wrong before still counts."""
        pair = self._digest(account, address)
        with self._lock:
            self._known[pair] = None
            self._known.move_to_end(pair)
            if len(self._known) > self._most_keys:
                self._known.popitem(last=False)

    @property
    def size(self) -> int:
        """How many keys are kept."""
        with self._lock:
            return len(self._known) + len(self._pairs) + len(self._accounts) + len(self._addresses)

    def _digest(self, *parts: str) -> int:
        """A key of fixed size: what clients type as names may be long, and must not stay in memory."""
        text = repr(parts).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=self._key).digest())


def tell_held_back(address: str) -> None:
    # Not the account: who misses the field types a password where the name belongs.
    _log.warning("log-ins from %s are held back: too many were wrong for one account", address or "nowhere")


class Attempt:
    """The secrets of one request. In a `with` block, wrong or unknown ones count against all accounts named."""

    def __init__(self, throttle: Throttle, address: str, *, many_behind: bool) -> None:
        self._throttle = throttle
        self._address = address
        self._many_behind = many_behind
        self._weights: dict[str, float] = {}

    def on(self, account: str, weight: float = 1.0) -> None:
        """Say whose secret is about to be checked. Raises `TooManyRequests`."""
        self._weights[account] = max(weight, self._weights.get(account, 0.0))
        self.check()

    def check(self) -> None:
        """Raise `TooManyRequests` if, by now, this has to wait. From any thread."""
        waits = [self._throttle.wait(name, self._address, many_behind=self._many_behind) for name in self._weights]
        seconds = math.ceil(max(waits, default=0.0))
        if seconds > 0:
            raise TooManyRequests(f"Too many wrong secrets were shown. Try again in {seconds} seconds.", seconds)

    def succeeded(self) -> None:
        """All that was asked for was shown, and right."""
        for account in self._weights:
            self._throttle.succeeded(account, self._address)

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Unauthenticated | NotFound):
            for account, weight in self._weights.items():
                self._throttle.failed(account, self._address, weight, many_behind=self._many_behind)


@dataclass(frozen=True, slots=True)
class Count:
    """Failures, at which time they were that many, and until when the next one has to wait."""

    failures: float
    at: Micros
    blocked_until: Micros


class Rule:
    """How failures of one kind of key add up: they are forgotten one by one, all that are free within an hour."""

    def __init__(self, free: int, delay: int) -> None:
        self.free = free
        self._delay = delay
        self._forgotten_a_second = max(free, 1) / _HOUR
        # More would only take longer to forget.
        self._most = free + 1 + math.log2(max(delay, 1))

    def after(self, count: Count, now: Micros, weight: float) -> tuple[Count, bool]:
        """The count with one failure more; whether it is the first that has to be waited for."""
        before = max(0.0, count.failures - (now - count.at) / SECOND * self._forgotten_a_second)
        failures = min(before + weight, self._most)
        excess = failures - self.free
        if excess <= 0:
            return Count(failures, now, count.blocked_until), False
        blocked_until = now + int(min(self._delay, 2.0 ** (excess - 1)) * SECOND)
        return Count(failures, now, blocked_until), before <= self.free


class _Counts:
    """Failures by key. Not for several threads."""

    def __init__(self, rule: Rule, elapsed: Clock, most_keys: int) -> None:
        self._rule = rule
        self._elapsed = elapsed
        self._most_keys = most_keys
        self._counts: OrderedDict[int, Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def wait(self, key: int) -> float:
        count = self._counts.get(key)
        if count is None:
            return 0.0
        self._counts.move_to_end(key)
        return max(0, count.blocked_until - self._elapsed()) / SECOND

    def add(self, key: int, weight: float) -> bool:
        """Count a failure; whether it is the first that has to be waited for."""
        now = self._elapsed()
        self._counts[key], first = self._rule.after(self._counts.get(key, Count(0.0, now, now)), now, weight)
        self._counts.move_to_end(key)
        if len(self._counts) > self._most_keys:
            self._counts.popitem(last=False)
        return first


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the 64 bits of an IPv6 address that a site gets at least."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))

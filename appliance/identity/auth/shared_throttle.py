"""The throttle where several nodes serve: they count wrong secrets together, in the database."""

import hashlib

from appliance.db.engine.base import Database, Tx
from appliance.db.identity import wrong_secrets as rows
from appliance.db.identity.wrong_secrets import WrongSecrets
from appliance.identity.auth.throttle import Allowed, Count, Rule, Throttle, tell_held_back
from appliance.identity.tokens.token import SECOND

_HOUR = 3600 * SECOND
_KNOWN_FOR = 30 * 24 * _HOUR
_THOUSAND = 1000


class SharedThrottle(Throttle):
    """Counts as its base does, by the database's clock and under a key that all nodes have."""

    def __init__(self, db: Database, key: bytes, allowed: Allowed) -> None:
        super().__init__(allowed)
        self._db = db
        self._key = key
        self._pair_rule = Rule(allowed.pair, allowed.delay)
        self._account_rule = Rule(allowed.account, allowed.delay)
        self._address_rule = Rule(allowed.address, allowed.delay)

    def _subject(self, kind: str, *parts: str) -> str:
        return f"{kind}:{hashlib.blake2b(repr(parts).encode(), digest_size=16, key=self._key).hexdigest()}"

    def _subjects(self, account: str, address: str, *, many_behind: bool) -> dict[str, Rule]:
        """What counts such an attempt, the pair first."""
        found = {self._subject("pair", account, address): self._pair_rule}
        found[self._subject("account", account)] = self._account_rule
        if not many_behind:
            found[self._subject("address", address)] = self._address_rule
        return found

    def wait(self, account: str, address: str, *, many_behind: bool) -> float:
        subjects = list(self._subjects(account, address, many_behind=many_behind))
        known = self._subject("known", account, address)
        counts = rows.read(self._db, [*subjects, known])
        if not counts:
            return 0.0
        counting = subjects[:1] if known in counts else subjects
        until = max((counts[subject].blocked_until for subject in counting if subject in counts), default=0)
        return max(0, until - self._db.now()) / SECOND if until else 0.0

    def failed(self, account: str, address: str, weight: float, *, many_behind: bool) -> None:
        subjects = self._subjects(account, address, many_behind=many_behind)

        def count(tx: Tx) -> bool:
            now = tx.now()
            before = rows.read(tx, list(subjects))
            after, firsts = {}, []
            for subject, rule in subjects.items():
                known = before.get(subject, WrongSecrets(0, now, 0))
                earlier = Count(known.failures / _THOUSAND, known.counted_at, known.blocked_until)
                found, first = rule.after(earlier, now, weight)
                after[subject] = WrongSecrets(round(found.failures * _THOUSAND), found.at, found.blocked_until)
                firsts.append(first)
            rows.write(tx, after)
            return firsts[0]

        if self._db.transact(count):
            tell_held_back(address)

    def succeeded(self, account: str, address: str) -> None:
        """One write for each usual address of an account, and not for each log-in."""
        known = self._subject("known", account, address)
        if known in rows.read(self._db, [known]):
            return

        def remember(tx: Tx) -> None:
            now = tx.now()
            rows.forget(tx, now - _KNOWN_FOR)
            rows.write(tx, {known: WrongSecrets(0, now, 0)})

        self._db.transact(remember)

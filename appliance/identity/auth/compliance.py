"""The rules for passwords and for who may still log in: strength, history, age, lock-out, inactivity."""

from dataclasses import dataclass

from appliance.db.engine.base import Row, Tx
from appliance.db.identity import users as rows
from appliance.db.identity.users import User
from appliance.errors import Invalid, Unauthenticated, WrongUsage
from appliance.identity.auth.passwords import Passwords
from appliance.identity.store import IdentityStore
from appliance.patterns import OperatorPattern
from appliance.settings import Settings
from appliance.values import Clock, Micros

SECOND = 1_000_000
DAY = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that has passed the rules, hashed outside of any transaction."""

    hash: str
    self_service: bool
    created_at: Micros
    expires_at: Micros | None
    keep: int


class Compliance:
    """Keystone's security_compliance settings at work. A user's own `options` exempt from some."""

    def __init__(self, store: IdentityStore, passwords: Passwords, settings: Settings, steady: Clock) -> None:
        self._store = store
        # What lock-outs are measured with: setting the clock neither prolongs nor ends one.
        self._steady = steady
        self._passwords = passwords
        self._settings = settings
        self._pattern = _pattern(settings.password_regex)

    def check_strength(self, password: str) -> None:
        """Raise `Invalid` for a password that the rules do not take."""
        if len(password.encode()) > self._settings.max_password_length:
            raise Invalid(f"A password is at most {self._settings.max_password_length} bytes long.")
        if self._pattern is not None and not self._pattern.matches(password):
            raise Invalid(
                "The password does not match the requirements: "
                f"{self._settings.password_regex_description or 'ask the administrator for them'}."
            )

    def given(self, password: str, user: User) -> NewPassword:
        """A password that an administrator sets. History does not bind administrators."""
        self.check_strength(password)
        now = self._store.clock()
        forced = self._settings.change_password_upon_first_use and not user.options.get(
            "ignore_change_password_upon_first_use"
        )
        return NewPassword(
            self._passwords.hash(password), False, now, now if forced else self._expiry(user, now), self._kept()
        )

    def chosen(self, password: str, user: User) -> NewPassword:
        """A password that a user sets for themselves. Raises `Invalid` if it is too young to change or was in use."""
        self.check_strength(password)
        now = self._store.clock()
        current = rows.password(self._store.db, user.id)
        self._check_age(current, now)
        for old in rows.password_history(self._store.db, user.id, self._settings.unique_last_password_count):
            if self._passwords.verify(password, old["hash"]):
                raise Invalid("The new password must differ from the last ones.")
        return NewPassword(self._passwords.hash(password), True, now, self._expiry(user, now), self._kept())

    def _check_age(self, current: Row | None, now: Micros) -> None:
        least = self._settings.minimum_password_age * DAY
        if not least or current is None or not current["self_service"]:
            return
        # A password from the future is one from before the clock was set back: how old it is nobody knows.
        if current["created_at"] <= now < current["created_at"] + least:
            raise Invalid("The password was changed too recently to be changed again.")

    def _expiry(self, user: User, now: Micros) -> Micros | None:
        days = self._settings.password_expires_days
        if not days or user.options.get("ignore_password_expiry"):
            return None
        return now + days * DAY

    def _kept(self) -> int:
        return max(self._settings.unique_last_password_count, 1)

    def admitted(self, user: User | None, password: Row | None = None, *, right: bool) -> User:
        """The user, if they have shown a right secret and may log in. A password must be in force to count.

        Raises `Unauthenticated`. Whatever is wrong, the same is looked at and as much is written, so that nobody can
        tell by the time whether a user exists, is locked or disabled.
        """
        locked = self._is_locked(user)
        admitted = right and not locked and user is not None and user.enabled and self.is_active(user)
        if admitted and user is not None and self._in_force(user, password):
            return user
        self._count(user if not right and not locked else None)
        raise Unauthenticated("The user or the secret is wrong, or the user may not log in.")

    def _is_locked(self, user: User | None) -> bool:
        """Whether the user failed too often, not long ago."""
        count, last = rows.failures(self._store.db, user.id if user is not None else "")
        if user is None or not self._is_counted(user) or count < self._settings.lockout_failure_attempts:
            return False
        now = self._steady()
        if last is not None and last > now:
            # The clock was set back while we were not running: nobody knows how long ago that was. Begin anew.
            self._store.db.transact(lambda tx: rows.begin_lockout(tx, user.id, now))
            last = now
        return last is not None and now < last + self._settings.lockout_duration * SECOND

    def _is_counted(self, user: User) -> bool:
        return bool(self._settings.lockout_failure_attempts) and not user.options.get("ignore_lockout_failure_attempts")

    def _count(self, user: User | None) -> None:
        """Count a wrong secret, if it is one of somebody who is counted. A lock-out that is over is forgotten first."""
        if not self._settings.lockout_failure_attempts:
            return
        now = self._steady()

        def count(tx: Tx) -> None:
            if user is None or not self._is_counted(user):
                rows.count_for_nobody(tx, now)
                return
            if rows.failures(tx, user.id)[0] >= self._settings.lockout_failure_attempts:
                rows.forget_failures(tx, user.id)
            rows.count_failure(tx, user.id, now)

        self._store.db.transact(count)

    def succeeded(self, user: User) -> None:
        """Forget failures and remember the day, where that matters. Writes only if something changes."""
        count, _ = rows.failures(self._store.db, user.id)
        now = self._store.clock()
        stale = self._is_first_today(user, now)
        if not count and not stale:
            return

        def change(tx: Tx) -> None:
            if count:
                rows.forget_failures(tx, user.id)
            if stale:
                rows.set_active(tx, user.id, now)

        self._store.transact(change)

    def seen(self, user: User) -> None:
        """Remember the day, where that matters, of somebody who has shown no secret of ours."""
        now = self._store.clock()
        if self._is_first_today(user, now):
            self._store.transact(lambda tx: rows.set_active(tx, user.id, now))

    def _is_first_today(self, user: User, now: Micros) -> bool:
        days = self._settings.disable_user_account_days_inactive
        return bool(days) and (user.last_active_at or 0) // DAY != now // DAY

    def _in_force(self, user: User, password: Row | None) -> bool:
        """False for a password that has expired."""
        expires_at = password["expires_at"] if password is not None else None
        if expires_at is None or user.options.get("ignore_password_expiry"):
            return True
        return bool(self._store.clock() < expires_at)

    def is_active(self, user: User) -> bool:
        """False for a user who has been away for too long."""
        days = self._settings.disable_user_account_days_inactive
        if not days or user.options.get("ignore_user_inactivity"):
            return True
        seen = user.last_active_at or user.created_at
        return self._store.clock() < seen + days * DAY


def _pattern(text: str) -> OperatorPattern | None:
    """What `password_regex` asks for, if anything. Raises `WrongUsage`."""
    try:
        return OperatorPattern(text) if text else None
    except ValueError as error:
        raise WrongUsage(f"password_regex: {error}") from error

"""The rules for passwords and for who may still log in: strength, history, age, lock-out, inactivity."""

from dataclasses import dataclass

from appliance.db import users as rows
from appliance.db.database import Row
from appliance.db.records import Record
from appliance.errors import Invalid, Unauthenticated, WrongUsage
from appliance.identity.ledger import Ledger
from appliance.identity.passwords import Passwords
from appliance.patterns import OperatorPattern
from appliance.settings import Settings
from appliance.values import Micros

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

    def __init__(self, ledger: Ledger, passwords: Passwords, settings: Settings) -> None:
        self._ledger = ledger
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

    def given(self, password: str, user: Record) -> NewPassword:
        """A password that an administrator sets. History does not bind administrators."""
        self.check_strength(password)
        now = self._ledger.clock()
        forced = self._settings.change_password_upon_first_use and not user.get("options", {}).get(
            "ignore_change_password_upon_first_use"
        )
        return NewPassword(
            self._passwords.hash(password), False, now, now if forced else self._expiry(user, now), self._kept()
        )

    def chosen(self, password: str, user: Record) -> NewPassword:
        """A password that a user sets for themselves. Raises `Invalid` if it is too young to change or was in use."""
        self.check_strength(password)
        now = self._ledger.clock()
        current = rows.password(self._ledger.db, user["id"])
        self._check_age(current, now)
        for old in rows.password_history(self._ledger.db, user["id"], self._settings.unique_last_password_count):
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

    def _expiry(self, user: Record, now: Micros) -> Micros | None:
        days = self._settings.password_expires_days
        if not days or user.get("options", {}).get("ignore_password_expiry"):
            return None
        return now + days * DAY

    def _kept(self) -> int:
        return max(self._settings.unique_last_password_count, 1)

    def check_not_locked(self, user: Record) -> None:
        """Raise `Unauthenticated` for a user who failed too often. A lock-out that has run its time is forgotten."""
        most = self._settings.lockout_failure_attempts
        if not most or user["options"].get("ignore_lockout_failure_attempts"):
            return
        count, last = rows.failures(self._ledger.db, user["id"])
        if count < most or last is None:
            return
        if self._ledger.clock() < last + self._settings.lockout_duration * SECOND:
            raise Unauthenticated("The user is locked out.")
        with self._ledger.write() as tx:
            rows.forget_failures(tx, user["id"])

    def failed(self, user: Record) -> None:
        """Count a wrong password, where that matters."""
        if self._settings.lockout_failure_attempts and not user["options"].get("ignore_lockout_failure_attempts"):
            with self._ledger.write() as tx:
                rows.count_failure(tx, user["id"], self._ledger.clock())

    def succeeded(self, user: Record) -> None:
        """Forget failures and remember the day, where that matters. Writes only if something changes."""
        count, _ = rows.failures(self._ledger.db, user["id"])
        now = self._ledger.clock()
        days = self._settings.disable_user_account_days_inactive
        stale = days and (user["last_active_at"] or 0) // DAY != now // DAY
        if not count and not stale:
            return
        with self._ledger.write() as tx:
            if count:
                rows.forget_failures(tx, user["id"])
            if stale:
                rows.set_active(tx, user["id"], now)

    def check_password_in_force(self, user: Record, password: Row) -> None:
        """Raise `Unauthenticated` for a password that has expired."""
        expires_at = password["expires_at"]
        if expires_at is None or user["options"].get("ignore_password_expiry"):
            return
        if expires_at <= self._ledger.clock():
            raise Unauthenticated("The password has expired and must be changed.")

    def is_active(self, user: Record) -> bool:
        """False for a user who has been away for too long."""
        days = self._settings.disable_user_account_days_inactive
        if not days or user["options"].get("ignore_user_inactivity"):
            return True
        seen: Micros = user["last_active_at"] or user["created_at"]
        return self._ledger.clock() < seen + days * DAY


def _pattern(text: str) -> OperatorPattern | None:
    """What `password_regex` asks for, if anything. Raises `WrongUsage`."""
    try:
        return OperatorPattern(text) if text else None
    except ValueError as error:
        raise WrongUsage(f"password_regex: {error}") from error

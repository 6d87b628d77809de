"""What can go wrong, in the domain's own words.

No HTTP here: `api/http/error_responses.py` is the one table that gives each kind a status code in each dialect. An
error's message is one plain sentence that may be shown to whoever made the request.
"""


class ApplianceError(Exception):
    """Base of everything that is raised on purpose. `str(error)` is a sentence fit for a user."""


# -- refusals: the caller asked for something that can't be had ------------------------------------------------


class Refusal(ApplianceError):
    """The request is at fault; nothing has changed."""


class Invalid(Refusal):
    """The request is malformed or breaks a rule on values."""


class Unauthenticated(Refusal):
    """Nobody can be made of the credentials or the token."""


class Forbidden(Refusal):
    """The caller is known and may see the thing, but may not do this to it."""


class NotFound(Refusal):
    """It does not exist, or the caller may not know that it does."""


class Conflict(Refusal):
    """The state of the thing, or a name already taken, forbids the request."""


class Gone(Refusal):
    """It was deleted while the request ran."""


class LimitExceeded(Refusal):
    """A size cap, quota or count limit would be passed."""


class TooManyRequests(Refusal):
    """Not now: too many have asked, or too many secrets were wrong. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnsupportedFormat(Refusal):
    """The content is of a type that is not accepted, or is not what it was declared to be."""


class RangeNotSatisfiable(Refusal):
    """The requested byte range is outside the content."""


class HeaderTooLong(Refusal):
    """One header field is longer than the service takes."""


class Disabled(Refusal):
    """The operation exists but is switched off in the settings."""


class NotSupported(Refusal):
    """The original service has this operation, and the appliance deliberately does not."""


# -- failures: the appliance could not do what it should ---------------------------------------------------------


class Failure(ApplianceError):
    """The request is fine; the appliance can't serve it."""


class Unavailable(Failure):
    """It can't be done now; the same request may succeed later."""


class StorageFull(Failure):
    """The disk has no room for the bytes."""


class StorageFault(Failure):
    """The disk refused a read, a write or an fsync."""


class Corrupt(Failure):
    """Stored bytes fail their check. They are never handed out as if they were whole."""


class ClientVanished(Failure):
    """The client broke off, stalled or sent fewer bytes than it declared."""


# -- what ends a command ---------------------------------------------------------------------------------------


class Fatal(ApplianceError):
    """The command can't go on: exit code 1, the message on one line, no traceback."""


class WrongUsage(ApplianceError):
    """The command was called wrongly: exit code 2."""

"""The options of one remote store, as the settings give them: checked names, and numbers that are numbers."""

from collections.abc import Collection
from pathlib import Path

from appliance.blobs.backends.registry import Location
from appliance.errors import WrongUsage
from appliance.values import GIB

COMMON = ("timeout", "connect_timeout", "retries", "ca_file", "cache_dir", "cache_size")
"""What every remote store has."""


class Options:
    """Raises `WrongUsage`, in words that name the store, for what does not fit."""

    def __init__(self, location: Location, known: Collection[str]) -> None:
        self._location = location
        names = sorted({*known, *COMMON})
        for name in location.options:
            if name not in names:
                raise WrongUsage(
                    f"store_options: store {location.store} has no option {name!r}; it has {', '.join(names)}"
                )

    def text(self, name: str, default: str = "") -> str:
        return self._location.options.get(name, default)

    def number(self, name: str, default: float) -> float:
        try:
            number = float(self._location.options.get(name, default))
        except ValueError:
            number = -1
        if not 0 <= number < float("inf"):
            raise WrongUsage(f"store_options: {name} of store {self._location.store} is a number")
        return number

    @property
    def cache_directory(self) -> Path:
        """Where what was read is kept."""
        given = self.text("cache_dir")
        return Path(given) if given else self._location.directory / "cache"

    @property
    def cache_size(self) -> int:
        return int(self.number("cache_size", 10 * GIB))

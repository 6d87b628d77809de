"""Small documents of services that the operator has named, fetched in bounded time and from nowhere else."""

from collections.abc import Callable
from dataclasses import replace

from appliance.image.web.addresses import UriFilter
from appliance.image.web.source import Fetcher, Patience
from appliance.settings import Settings

_STALL, _TOTAL = 3.0, 5.0
"""Seconds: somebody's log-in waits for it."""


def document_reader(settings: Settings) -> Callable[[str, str], bytes]:
    """Reads what is at an address, given another whose origin the operator has named. What is elsewhere, and where
    redirects lead, is only read by https, and never on this host or its link."""
    anywhere: tuple[str, ...] = ()
    strict = replace(
        settings,
        import_allowed_schemes=("https",),
        import_allowed_hosts=anywhere,
        import_disallowed_hosts=anywhere,
        import_allowed_ports=anywhere,
        import_disallowed_ports=anywhere,
    )
    fetcher = Fetcher(UriFilter(strict), Patience(_STALL, _TOTAL))

    def read(address: str, named: str) -> bytes:
        with fetcher.trusting(named).get(address) as source:
            return source.read_small()

    return read

"""`peer`, `feed` and `sync`: other sites, and the sets of images that go from site to site."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from appliance.cli.commands import argument, group, option, switch, verb
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.cli.fleet_site import below, fleet_site
from appliance.cli.output import Output, size_text, with_output, with_quiet
from appliance.cli.progress import Progress
from appliance.errors import Fatal, WrongUsage
from appliance.fleet.bundle_reader import BundleReader
from appliance.fleet.keys import SiteKey
from appliance.fleet.tar import exactly
from appliance.fleet.tree_writer import TreeWriter
from appliance.values import now as clock
from appliance.values import number

_PEER = ("name", "fingerprint", "url", "paired_at")
_FEED = ("name", "is_own", "origin", "images", "entries", "readers", "trouble")
_IMAGE = ("id", "name", "size", "state", "entry", "note")


def _ask(flags: Flags, method: str, path: str, document: dict[str, Any] | None = None) -> Any:
    with fleet_site(settings_for(flags), path.strip("/") or "peer show") as site:
        return site.ask(method, path, document)


def _options(*options: Callable[[Any], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Several options, for verbs that share them."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for one in reversed(options):
            function = one(function)
        return function

    return add


# -- peers


@verb("show", "show the fingerprint and the key by which others know this site")
@with_output
@with_directory
def show_site(flags: Flags, output: Output) -> int:
    output.one(_ask(flags, "GET", ""))
    return 0


_with_trust = _options(
    option(
        "--pin",
        metavar="SHA256",
        help="SHA-256 of its TLS certificate, or of that certificate's public key, if no authority has signed it; "
        "empty for authorities that this machine trusts",
    ),
    option(
        "--ca",
        metavar="FILE",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="authorities that have signed it, in PEM: for one that `--tls-cert self` made, its tls/ca.pem",
    ),
)
"""By what the certificate of a site is known."""


def _authorities(file: Path | None) -> dict[str, str]:
    return {} if file is None else {"ca": file.read_text("utf-8", "replace")}


@verb("pair", "know another site by its key from now on")
@argument("name", metavar="NAME", help="what it is to be called here")
@option("--url", metavar="URL", help="address of its images, if it can be reached: http://host:9292")
@option("--fingerprint", metavar="FINGERPRINT", required=True, help="what `peer show` prints there")
@option("--key", metavar="KEY", help="its key, as `peer show` prints it there [asked for at its address]")
@_with_trust
@with_output
@with_directory
def pair(flags: Flags, output: Output, ca: Path | None, **given: str | None) -> int:
    document = {name: value for name, value in given.items() if value is not None} | _authorities(ca)
    output.one(_ask(flags, "POST", "/peers", document)["peer"])
    return 0


@verb("set", "say anew where a site is, or by what its certificate is known")
@argument("name", metavar="NAME", help="the peer")
@option("--url", metavar="URL", help="address of its images; empty if it can be reached no more")
@_with_trust
@with_output
@with_directory
def set_peer(flags: Flags, output: Output, name: str, ca: Path | None, **given: str | None) -> int:
    document = {kind: value for kind, value in given.items() if value is not None} | _authorities(ca)
    output.one(_ask(flags, "PATCH", below("peers", name), document)["peer"])
    return 0


@verb("list", "list the sites that are known here")
@with_output
@with_directory
def list_peers(flags: Flags, output: Output) -> int:
    output.many(_ask(flags, "GET", "/peers")["peers"], _PEER)
    return 0


@verb("remove", "know a site no more; its feeds and their images stay")
@argument("name", metavar="NAME", help="the peer")
@with_directory
def remove(flags: Flags, name: str) -> int:
    _ask(flags, "DELETE", below("peers", name))
    return 0


peer = group("peer", show_site, pair, list_peers, set_peer, remove)


# -- feeds


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    digits, unit = (value[:-1], value[-1:]) if value[-1:] in _UNITS else (value, "s")
    if not digits.isdigit():
        raise WrongUsage(f"{param.opts[0]} takes a time like 15m, 6h or 1d, not {value}")
    return int(digits) * _UNITS[unit]


def _bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else number(value)
    except ValueError:
        raise WrongUsage(f"{param.opts[0]} takes bytes a second like 512K or 4M, not {value}") from None


_with_terms = _options(
    option("--every", metavar="TIME", callback=_seconds, help="how often to look, like 15m; 0 for when told to"),
    option("--between", "hours", metavar="HOURS", help="only in these hours of the day, like 22:00-06:00"),
    option("--limit", "rate", metavar="RATE", callback=_bytes, help="bytes a second at the most, like 4M"),
    option(
        "--policy",
        metavar="POLICY",
        type=click.Choice(("mirror", "keep")),
        help="what leaves the feed is removed here, too (mirror), or stays (keep)",
    ),
    option("--project", metavar="PROJECT_ID", help="project that is to own the images [that of the same id as there]"),
)
"""How a feed comes here."""


_with_serving = _options(
    option("--serve-between", "serve_hours", metavar="HOURS", help="hand its blocks on only in these hours"),
    option(
        "--serve-limit",
        "serve_rate",
        metavar="RATE",
        callback=_bytes,
        help="bytes a second at the most that go out of it, to all who follow it from here together",
    ),
)
"""How a feed is handed on from here."""


@verb("follow", "have the images of another site's feed come here")
@argument("peer_name", metavar="PEER", help="peer that has the feed, its own or one that it follows")
@argument("feed_name", metavar="FEED", help="what the feed is called there")
@option("--name", metavar="NAME", help="what it is to be called here [as at its origin]")
@option("--origin", metavar="FINGERPRINT", help="site that signs the feed, if it is not a peer")
@option(
    "--tree", metavar="URL", help="address of the files that `feed publish` has written, in place of the peer's own"
)
@_with_terms
@with_output
@with_directory
def follow(flags: Flags, output: Output, peer_name: str, feed_name: str, **given: Any) -> int:
    document = {name: value for name, value in given.items() if value is not None} | {"feed": feed_name}
    output.one(_ask(flags, "POST", below("peers", peer_name, "feeds"), document)["feed"])
    return 0


def _properties(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    if bad := [text for text in value if "=" not in text]:
        raise click.BadParameter(f"{bad[0]} is not of the form NAME=VALUE", ctx, param)
    return dict(text.split("=", 1) for text in value)


@verb("create", "publish a set of images, which is whatever meets all of these conditions")
@argument("name", metavar="NAME", help="what it is to be called")
@option("--tag", metavar="TAG", multiple=True, help="with this tag; may be given several times")
@option(
    "--property",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_properties,
    help="with this property; may be given several times",
)
@option(
    "--visibility",
    metavar="VISIBILITY",
    multiple=True,
    type=click.Choice(("public", "community", "shared", "private")),
    help="with this visibility, or one of those given",
)
@option("--owner", metavar="PROJECT_ID", multiple=True, help="of this project, or one of those given")
@option("--image", "id", metavar="IMAGE_ID", multiple=True, help="this image, or one of those given")
@switch("--all", help="every image of the appliance, of whatever project")
@option("--reader", "readers", metavar="PEER", multiple=True, help="peer that may follow it; `all` for every peer")
@_with_serving
@with_output
@with_directory
def create(flags: Flags, output: Output, name: str, readers: tuple[str, ...], **given: Any) -> int:
    limits = {kind: value for kind in ("serve_hours", "serve_rate") if (value := given.pop(kind)) is not None}
    wanted = {kind: list(value) if isinstance(value, tuple) else value for kind, value in given.items() if value}
    document = {"name": name, "filter": wanted, "readers": list(readers), **limits}
    output.one(_ask(flags, "POST", "/feeds", document)["feed"])
    return 0


@verb("publish", "keep a feed as plain files, for any web server or bucket")
@argument("name", metavar="FEED", help="the feed")
@argument(
    "place", metavar="DIR", type=click.Path(path_type=Path), help="directory, new or as it was left the last time"
)
@with_quiet
@with_directory
def publish(flags: Flags, name: str, place: Path) -> int:
    settings = settings_for(flags)
    writer = TreeWriter(place)
    since = writer.receipt(SiteKey(None), clock)
    with fleet_site(settings, "feed publish") as site:
        length, pieces = site.export(name, since)
        with Progress(name, length) as progress:
            came = writer.add(BundleReader(exactly(_Pieces(pieces, progress.add).read)))
    head = writer.head
    print(f"{place} has the feed {name} up to entry {head.sequence if head else 0}: {size_text(came)} are new")
    return 0


class _Pieces:
    """Pieces as something to read from."""

    def __init__(self, pieces: Iterator[bytes], progress: Callable[[int], None]) -> None:
        self._pieces = filter(None, pieces)
        self._progress = progress
        self._rest = b""

    def read(self, size: int) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        part, self._rest = self._rest[:size], self._rest[size:]
        self._progress(len(part))
        return part


@verb("list", "list the feeds of this site, and those of others that came here")
@with_output
@with_directory
def list_feeds(flags: Flags, output: Output) -> int:
    output.many(_ask(flags, "GET", "/feeds")["feeds"], _FEED)
    return 0


@verb("show", "show the images of a feed, and what is not as the feed says")
@argument("name", metavar="FEED", help="the feed")
@with_output
@with_directory
def show(flags: Flags, output: Output, name: str) -> int:
    output.many(_ask(flags, "GET", below("feeds", name))["images"], _IMAGE)
    return 0


@verb("set", "change who may read a feed, or on which terms it comes here")
@argument("name", metavar="FEED", help="the feed")
@option("--reader", "readers", metavar="PEER", multiple=True, help="peers that may follow it, in place of those before")
@switch("--no-readers", help="nobody may follow it any more")
@_with_terms
@_with_serving
@with_output
@with_directory
def set_(flags: Flags, output: Output, name: str, readers: tuple[str, ...], no_readers: bool, **given: Any) -> int:
    document: dict[str, Any] = {kind: value for kind, value in given.items() if value is not None}
    if readers or no_readers:
        document["readers"] = list(readers)
    output.one(_ask(flags, "PATCH", below("feeds", name), document)["feed"])
    return 0


@verb("delete", "forget a feed; its images stay")
@argument("name", metavar="FEED", help="the feed")
@with_directory
def delete(flags: Flags, name: str) -> int:
    _ask(flags, "DELETE", below("feeds", name))
    return 0


feed = group("feed", create, follow, publish, list_feeds, show, set_, delete)


# -- syncing

_SYNC = ("feed", "peer", "state", "images_behind", "bytes_behind", "seconds_behind", "applied_at", "trouble")


@verb("status", "show how far the feeds are behind that come from elsewhere: images, bytes, time")
@with_output
@with_directory
def status(flags: Flags, output: Output) -> int:
    output.many(_ask(flags, "GET", "/sync")["sync"], _SYNC)
    return 0


@verb("now", "bring a feed up to date, or all that are followed, and wait for it")
@argument("name", metavar="[FEED]", required=False, help="the feed [all]")
@with_directory
def now(flags: Flags, name: str | None) -> int:
    with fleet_site(settings_for(flags), "sync now") as site:
        followed = [one["feed"] for one in site.ask("GET", "/sync")["sync"] if one["peer"]]
        for one in [name] if name else followed:
            trouble = site.sync(one)
            if trouble:
                raise Fatal(f"the feed {one} is not up to date: {trouble}")
            print(f"the feed {one} is up to date")
    return 0


sync = group("sync", status, now)

"""`bundle`: carry the images of a feed to another site in files."""

from pathlib import Path
from typing import Any

import click

from appliance.blobs.durable import Disk, replace_file
from appliance.cli.commands import argument, group, option, switch, verb
from appliance.cli.flags import Flags, settings_for, with_directory
from appliance.cli.fleet_site import fleet_site
from appliance.cli.output import Output, note, size_text, with_output, with_quiet
from appliance.cli.parts import PartReader, PartWriter, part
from appliance.cli.progress import Progress
from appliance.errors import Fatal, WrongUsage
from appliance.fleet.bundle_reader import BundleHeader, BundleReader
from appliance.fleet.feed_log import Entry, current
from appliance.fleet.keys import fingerprint
from appliance.values import MIB, number, seconds_text

_FILE = click.Path(path_type=Path)
_IMAGE = ("id", "name", "size", "what", "entry")


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> int:
    try:
        size = number(value or 0)
    except ValueError:
        raise WrongUsage(f"--split takes a size like 4G, not {value}") from None
    if value is not None and size < MIB:
        raise WrongUsage("--split takes at least 1M")
    # A file of 4 GiB does not fit on a stick that says that it takes 4 GiB.
    return max(size - 1, 0)


@verb("export", "write what is in a feed, or what is new in it, into a file")
@argument("feed", metavar="FEED", help="feed whose images are to travel")
@argument("file", metavar="FILE", type=_FILE, help="file, or the beginning of the names of its parts")
@option(
    "--since",
    metavar="RECEIPT",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="receipt of the site that it is for: only what that site lacks",
)
@option("--split", metavar="SIZE", callback=_size, help="parts of less than this size, like 4G, for sticks")
@with_quiet
@with_directory
def export(flags: Flags, feed: str, file: Path, since: Path | None, split: int) -> int:
    settings = settings_for(flags)
    for there in (file, part(file, 0)):
        if there.exists():
            raise Fatal(f"{there} is there already: choose another name, or remove it")
    receipt = since.read_text() if since else ""
    writer = PartWriter(file, split)
    with fleet_site(settings, "bundle export") as site:
        length, pieces = site.export(feed, receipt)
        with Progress(file.name, length) as progress:

            def counted() -> Any:
                for piece in pieces:
                    progress.add(len(piece))
                    yield piece

            writer.write(counted())
    for path in writer.written:
        print(path)
    note(f"{size_text(length)} in all. `bundle inspect {writer.written[0]}` says what is in it.")
    return 0


@verb("inspect", "say what is in a bundle, and check it; needs no data directory")
@argument("file", metavar="FILE", type=_FILE, help="the bundle, or its first part")
@switch("--deep", help="read every byte of it, too, and compare it with its digest")
@with_output
def inspect(file: Path, deep: bool, output: Output) -> int:
    with PartReader(file) as parts:
        bundle = _opened(parts)
        entries = bundle.entries()
        _tell(bundle.header)
        rows = [_row(entry, bundle.header) for entry in current(entries).values()]
        output.many(rows, _IMAGE)
        if deep:
            _read_all(bundle, entries, parts.length)
            print("every byte was read and is as it was written")
    return 0


def _tell(header: BundleHeader) -> None:
    print(f"feed {header.feed} of the site {fingerprint(header.origin)}")
    print(f"entries {header.after.sequence + 1} to {header.reached.sequence}, written {seconds_text(header.at)}")
    if header.after.sequence:
        print(f"for a site that has the feed up to entry {header.after.sequence}")


def _row(entry: Entry, header: BundleHeader) -> dict[str, Any]:
    put = entry.put or {"name": None, "size": None}
    what = "removed" if entry.put is None else "with data" if _map(put) in header.maps else "changed"
    return {"id": entry.image_id, "name": put["name"], "size": put["size"], "what": what, "entry": entry.sequence}


def _read_all(bundle: BundleReader, entries: list[Entry], length: int) -> None:
    for _ in bundle.maps({_map(entry.put): entry.put["size"] for entry in entries if entry.put}):
        pass
    with Progress("read", length) as progress:
        for block in bundle.blocks():
            block.plain()
            progress.add(len(block.data))
    bundle.finish()


def _opened(parts: PartReader) -> BundleReader:
    """The bundle. Raises `Fatal` if a part at its end is missing, or it is torn."""
    bundle = BundleReader(parts.read)
    whole = parts.position + bundle.header.length
    if parts.length < whole:
        missing = f"{parts.next} is missing, or " if parts.next else ""
        raise Fatal(f"{missing}{parts.last} is torn: there are {parts.length} bytes of more than {whole}")
    return bundle


def _map(manifest: dict[str, Any]) -> str:
    return str(manifest["map"]["sha256"])


@verb("import", "bring the images of a bundle in; the same bundle again changes nothing")
@argument("file", metavar="FILE", type=_FILE, help="the bundle, or its first part")
@option("--origin", metavar="FINGERPRINT", help="site that signs the feed, as `peer show` prints it there")
@option("--name", metavar="NAME", help="what the feed is called here [as there]")
@option("--project", metavar="PROJECT_ID", help="project that is to own the images [that of the same id as there]")
@option(
    "--policy",
    metavar="POLICY",
    type=click.Choice(("mirror", "keep")),
    help="what leaves the feed is removed here, too (mirror), or stays (keep) [mirror]",
)
@option("--receipt", metavar="FILE", type=_FILE, help="where to write the receipt [FILE.receipt]")
@with_quiet
@with_directory
def import_(flags: Flags, file: Path, receipt: Path | None, **terms: str | None) -> int:
    settings = settings_for(flags)
    given = {name: value for name, value in terms.items() if value is not None}
    with PartReader(file) as parts:
        _opened(parts)
    with (
        PartReader(file) as parts,
        fleet_site(settings, "bundle import") as site,
        Progress("import", parts.length) as progress,
    ):
        imported = site.bring(parts.read, parts.length, given, progress.add)
    kinds = [(what, imported[what]) for what in ("created", "changed", "removed")]
    told = ", ".join(f"{len(ids)} {what}" for what, ids in kinds if ids) or "nothing was new"
    print(f"the feed {imported['feed']} is at entry {imported['entries']}: {told}")
    for sentence in imported["notes"]:
        print(sentence)
    place = receipt or file.with_name(f"{file.name}.receipt")
    replace_file(Disk(), place, imported["receipt"].encode())
    note(f"{place} is the receipt: the next `bundle export --since` takes it.")
    return 0


bundle = group("bundle", export, inspect, import_)

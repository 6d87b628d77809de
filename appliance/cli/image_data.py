"""`image`: the verbs that move an image's data: create, save, import, and copy to another cloud."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import click

from appliance.cli.client.images import Import, ordered, path, upload, with_fields
from appliance.cli.client.options import Cloud, find_image, names, with_cloud
from appliance.cli.client.session import Session
from appliance.cli.client.transfer import FromCloud, Input, open_input, send, stream
from appliance.cli.client.transfer import save as save_data
from appliance.cli.commands import argument, exclusive, option, switch, verb
from appliance.cli.output import Output, note, say, with_output, with_quiet
from appliance.errors import ApplianceError, WrongUsage

_FILE = click.Path()
_WAIT = option(
    "--wait/--no-wait", default=None, help="whether to wait until the server has the data [on a terminal it waits]"
)


def _waits(wait: bool | None) -> bool:
    """A person wants to see how it ends; a script says so."""
    return sys.stderr.isatty() if wait is None else wait


# -- create ------------------------------------------------------------------------------------------------------------


@verb("create", "make an image, from a file, a pipe or an address")
@argument("name", metavar="NAME", help="the image's name")
@option("--file", metavar="FILE", type=_FILE, help="the image's data; - is standard input")
@option("--uri", metavar="URI", help="let the server fetch the data from this address")
@exclusive("file", "uri")
@_WAIT
@option("--id", "image_id", metavar="UUID", help="the image's id [the server chooses one]")
@with_fields
@with_output
@with_cloud
def create(
    cloud: Cloud,
    output: Output,
    name: str,
    file: str | None,
    uri: str | None,
    wait: bool | None,
    image_id: str | None,
    fields: dict[str, Any],
    tag: tuple[str, ...],
) -> int:
    """Make an image, and give it its data in the same breath."""
    if wait is not None and not uri:
        raise WrongUsage("--wait goes with --uri")
    document = {"name": name, **fields, **({"id": image_id} if image_id else {}), **({"tags": tag} if tag else {})}
    document.setdefault("container_format", "bare")
    with open_input(file) as data:
        session = cloud.session
        document.setdefault("disk_format", data.disk_format if data else "raw")
        image: dict[str, Any] = session.call("POST", "image", "/v2/images", document).json()
        if data is not None:
            image = _filled(session, image, data)
        elif uri:
            image = _fetched(session, image, uri, wait=_waits(wait))
    output.one(ordered(image))
    return 0


def _filled(session: Session, image: dict[str, Any], data: Input) -> dict[str, Any]:
    try:
        return upload(session, image["id"], data)
    except BaseException as error:
        _remove(session, image["id"], told=not isinstance(error, ApplianceError))
        raise


def _fetched(session: Session, image: dict[str, Any], uri: str, *, wait: bool) -> dict[str, Any]:
    try:
        work = Import(session, image["id"])
        work.start({"name": "web-download", "uri": uri})
        return work.wait() if wait else image
    except ApplianceError:
        _remove(session, image["id"])
        raise
    except BaseException:
        note(f"The server goes on fetching the data; `image show {image['id']}` says how far it is.")
        raise


def _remove(session: Session, image_id: str, *, told: bool = False) -> None:
    """Delete an image again: nobody has any use for it without the data that it was made for."""
    try:
        session.call("DELETE", "image", path(image_id))
    except ApplianceError as error:
        say(f"The image {image_id} is left without its data: {error}")
    else:
        if told:
            note(f"The upload was broken off, and the image {image_id} deleted again.")


# -- save --------------------------------------------------------------------------------------------------------------


@verb("save", "fetch an image's data")
@argument("image", metavar="IMAGE", help="id or name", shell_complete=names("image"))
@option("--file", metavar="FILE", type=_FILE, default="-", help="where to put the data [- is standard output]")
@switch("--sha512sum", help="write FILE.sha512sum beside it, which `sha512sum -c` checks")
@with_quiet
@with_cloud
def save(cloud: Cloud, image: str, file: str, sha512sum: bool) -> int:
    """Fetch an image's data, checked, into a file or a pipe."""
    target = Path(file)
    is_plain = file != "-" and not (target.exists() and not target.is_file())
    if file == "-" and sys.stdout.isatty():
        raise WrongUsage("standard output is a terminal: name a file with --file, or pipe the data somewhere")
    if sha512sum and not is_plain:
        raise WrongUsage("--sha512sum goes with --file, and a file that is no device")
    session = cloud.session
    found = find_image(session, image)
    if file == "-":
        stream(session, found, sys.stdout.buffer)
    elif not is_plain:
        with open(target, "wb") as device:
            stream(session, found, device)
    else:
        save_data(session, found, target)
        if sha512sum:
            _write_sum(target, found)
    return 0


def _write_sum(file: Path, image: dict[str, Any]) -> None:
    """The digest that the data has just been checked against, or one of what is in the file."""
    if image.get("os_hash_algo") == "sha512" and image.get("os_hash_value"):
        digest = str(image["os_hash_value"])
    else:
        with open(file, "rb") as data:
            digest = hashlib.file_digest(data, "sha512").hexdigest()
    file.with_name(f"{file.name}.sha512sum").write_text(f"{digest} *{file.name}\n")


# -- import ------------------------------------------------------------------------------------------------------------


@verb("import", "give an image its data by import")
@argument("image", metavar="IMAGE", help="id or name", shell_complete=names("image"))
@option("--uri", metavar="URI", help="the server fetches the data from this address (web-download)")
@option("--file", metavar="FILE", type=_FILE, help="stage this file and import it (glance-direct); - is a pipe")
@switch("--staged", help="import what has been staged (glance-direct)")
@switch("--copy", help="copy the data to more stores (copy-image)")
@exclusive("uri", "file", "staged", "copy", required=True)
@option(
    "--store",
    multiple=True,
    metavar="STORE",
    shell_complete=names("store"),
    help="store to put it in; may be repeated",
)
@switch("--all-stores", help="put it in every store")
@_WAIT
@with_output
@with_cloud
def import_(
    cloud: Cloud,
    output: Output,
    image: str,
    uri: str | None,
    file: str | None,
    staged: bool,
    copy: bool,
    store: tuple[str, ...],
    all_stores: bool,
    wait: bool | None,
) -> int:
    """Give an image its data by one of the server's import methods."""
    method = {"name": "copy-image"} if copy else {"name": "glance-direct"}
    if uri:
        method = {"name": "web-download", "uri": uri}
    more: dict[str, Any] = {"stores": list(store)} if store else {}
    more |= {"all_stores": True} if all_stores else {}
    with open_input(file) as data:
        session = cloud.session
        found = find_image(session, image)
        if data is not None:
            send(session, path(found["id"], "/stage"), data)
    work = Import(session, found["id"])
    work.start(method, **more)
    try:
        found = work.wait() if _waits(wait) else session.get("image", path(found["id"]))
    except KeyboardInterrupt:
        note(f"The import goes on; `image show {found['id']}` says how far it is.")
        raise
    output.one(ordered(found))
    return 0


# -- copy --------------------------------------------------------------------------------------------------------------

_OF_ITS_CLOUD = frozenset(
    {
        *("self", "file", "schema", "direct_url", "locations", "stores", "status", "size", "virtual_size", "checksum"),
        *("os_hash_algo", "os_hash_value", "created_at", "updated_at", "owner", "protected", "visibility", "id"),
        *("os_hidden",),
    }
)


@verb("copy", "copy an image to another cloud")
@argument("image", metavar="IMAGE", help="id or name", shell_complete=names("image"))
@option("--to-cloud", metavar="NAME", help="cloud of clouds.yaml to copy it to")
@option("--to-data-dir", metavar="DIR", type=click.Path(), help="data directory of the appliance to copy it to")
@exclusive("to_cloud", "to_data_dir", required=True)
@option("--name", help="its name there [the same]")
@switch("--keep-id", help="give it the same id there")
@with_output
@with_cloud
def copy(
    cloud: Cloud,
    output: Output,
    image: str,
    to_cloud: str | None,
    to_data_dir: str | None,
    name: str | None,
    keep_id: bool,
) -> int:
    """Copy an image with its properties and its data, through this machine, checked on the way."""
    source = cloud.session
    target = Cloud({"os_cloud": to_cloud, "data_dir": to_data_dir}).session
    found = find_image(source, image)
    document = {field: value for field, value in found.items() if field not in _OF_ITS_CLOUD and value is not None}
    document |= {"name": name or found.get("name")} | ({"id": found["id"]} if keep_id else {})
    made: dict[str, Any] = target.call("POST", "image", "/v2/images", document).json()
    output.one(ordered(_filled(target, made, FromCloud(source, found)) if found["status"] != "queued" else made))
    return 0

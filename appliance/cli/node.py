"""`node`: the nodes of an appliance that is several on one database."""

from urllib.parse import quote

from appliance.cli.client.options import Cloud, with_cloud
from appliance.cli.commands import argument, group, switch, verb
from appliance.cli.output import Output, note, with_output

_PATH = "/appliance/v1/nodes"
_NODE = ("name", "state", "version", "place", "lease", "jobs", "id")


@verb("list", "show the nodes, and what each does")
@with_output
@with_cloud
def list_(cloud: Cloud, output: Output) -> int:
    nodes = cloud.session.get("image", _PATH)["nodes"]
    output.many([{**node, "jobs": " ".join(node["jobs"])} for node in nodes], _NODE)
    return 0


@verb("show", "show all that is known of a node")
@argument("node", metavar="NODE", help="its name or id")
@with_output
@with_cloud
def show(cloud: Cloud, output: Output, node: str) -> int:
    output.one(cloud.session.get("image", _path(node)))
    return 0


@verb("drain", "send nobody to a node any more; what runs there ends")
@argument("node", metavar="NODE", help="its name or id")
@switch("--undo", help="let it serve again")
@with_cloud
def drain(cloud: Cloud, node: str, undo: bool) -> int:
    cloud.session.call("DELETE" if undo else "PUT", "image", f"{_path(node)}/drain")
    if not undo:
        note("Its healthcheck says 503 within seconds. Stop it when `uploads` and its log are quiet.")
    return 0


@verb("remove", "forget a node that runs no more")
@argument("node", metavar="NODE", help="its name or id")
@with_cloud
def remove(cloud: Cloud, node: str) -> int:
    cloud.session.call("DELETE", "image", _path(node))
    return 0


def _path(node: str) -> str:
    return f"{_PATH}/{quote(node, safe='')}"


node = group("node", list_, show, drain, remove)

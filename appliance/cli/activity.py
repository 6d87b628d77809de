"""`events`, `jobs` and `uploads`: what has been done through an appliance, and what it is doing."""

import itertools
from typing import Any
from urllib.parse import quote

import click

from appliance.cli.client.options import Cloud, names, with_cloud
from appliance.cli.commands import argument, group, option, verb
from appliance.cli.output import Output, with_output

_EVENT = ("at", "user_name", "action", "subject_kind", "subject_name", "result", "address")
_JOB = ("name", "state", "ended_at", "next_at", "done", "total", "error")
_UPLOAD = ("image_id", "user_name", "bytes", "size", "rate", "since")
_PAGE = 200


@verb()
@option("--user", metavar="USER", shell_complete=names("user"), help="only what this user did, by id or name")
@option("--project", metavar="PROJECT", shell_complete=names("project"), help="only in this project, by id or name")
@option("--action", metavar="ACTION", help="only of this action: log_in, or a policy's name")
@option("--subject", metavar="ID", help="only on this thing, by its id")
@option("--request-id", metavar="ID", help="only of this request, by its x-openstack-request-id")
@option(
    "--result",
    type=click.Choice(("success", "failure")),
    metavar="RESULT",
    help="only what was a success, or a failure",
)
@option("--since", metavar="TIME", help="only from this time on, in ISO 8601")
@option("--until", metavar="TIME", help="only up to this time")
@option("--limit", type=click.IntRange(min=1), metavar="COUNT", default=50, help="no more than this, newest first [50]")
@with_output
@with_cloud
def events(cloud: Cloud, output: Output, limit: int, **given: Any) -> int:
    query = [(name, value) for name, value in given.items() if value is not None]
    output.many(list(itertools.islice(_events(cloud, query, min(limit, _PAGE)), limit)), _EVENT)
    return 0


def _events(cloud: Cloud, query: list[tuple[str, Any]], page: int) -> Any:
    """Every event that matches, page by page."""
    before: list[tuple[str, Any]] = []
    while found := cloud.session.get("image", "/appliance/v1/events", [*query, ("limit", page), *before])["events"]:
        yield from found
        before = [("before", found[-1]["id"])]


@verb("list", "show what runs in the background, and when it runs next")
@with_output
@with_cloud
def list_(cloud: Cloud, output: Output) -> int:
    output.many(cloud.session.get("image", "/appliance/v1/jobs")["jobs"], _JOB)
    return 0


@verb("run", "have a job run now")
@argument("job", metavar="JOB", help="collect or scrub", type=click.Choice(("collect", "scrub")))
@with_cloud
def run(cloud: Cloud, job: str) -> int:
    cloud.session.call("POST", "image", f"/appliance/v1/jobs/{quote(job, safe='')}")
    return 0


@verb()
@with_output
@with_cloud
def uploads(cloud: Cloud, output: Output) -> int:
    output.many(cloud.session.get("image", "/appliance/v1/uploads")["uploads"], _UPLOAD)
    return 0


jobs = group("jobs", list_, run)

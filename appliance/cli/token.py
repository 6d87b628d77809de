"""`token`: tokens for scripts and other programs."""

import argparse

from appliance.cli.client.arguments import add_cloud, add_output, session_of
from appliance.cli.client.output import show_one
from appliance.cli.verbs import Member, add_group


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "issue": Member("sign in and print the token", _issue_arguments, _issue),
            "revoke": Member("make a token worthless, at once", _revoke_arguments, _revoke),
        },
    )


def _issue_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)
    add_cloud(parser)


def _issue(arguments: argparse.Namespace) -> int:
    session = session_of(arguments)
    token = session.token()
    row = {"id": session.token_id(), "expires": token["expires_at"], "user_id": token["user"]["id"]}
    for scope in ("project", "domain"):
        if scope in token:
            row[f"{scope}_id"] = token[scope]["id"]
    if "system" in token:
        row["system"] = "all"
    if token.get("roles"):
        row["roles"] = ", ".join(sorted(role["name"] for role in token["roles"]))
    show_one(arguments, row)
    return 0


def _revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("token", metavar="TOKEN", help="the token to revoke")
    add_cloud(parser)


def _revoke(arguments: argparse.Namespace) -> int:
    session_of(arguments).call("DELETE", "identity", "/auth/tokens", headers={"X-Subject-Token": arguments.token})
    return 0

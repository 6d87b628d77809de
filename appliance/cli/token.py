"""`token`: tokens for scripts and other programs."""

from appliance.cli.client.options import Cloud, with_cloud
from appliance.cli.commands import argument, group, verb
from appliance.cli.output import Output, with_output


@verb("issue", "sign in and print the token")
@with_output
@with_cloud
def issue(cloud: Cloud, output: Output) -> int:
    session = cloud.session
    # A new one: who asks for a token wants all of its time.
    session.sign_in()
    token = session.token()
    row = {"id": session.token_id(), "expires": token["expires_at"], "user_id": token["user"]["id"]}
    for scope in ("project", "domain"):
        if scope in token:
            row[f"{scope}_id"] = token[scope]["id"]
    if "system" in token:
        row["system"] = "all"
    if token.get("roles"):
        row["roles"] = ", ".join(sorted(role["name"] for role in token["roles"]))
    output.one(row)
    return 0


@verb("revoke", "make a token worthless, at once")
@argument("token", metavar="[TOKEN]", required=False, help="the token [the one kept for the next commands]")
@with_cloud
def revoke(cloud: Cloud, token: str | None) -> int:
    session = cloud.session
    revoked = token or session.token_id()
    session.call("DELETE", "identity", "/auth/tokens", headers={"X-Subject-Token": revoked})
    if revoked == session.token_id():
        session.forget()
    return 0


token = group("token", issue, revoke)

"""Run by the clients' own Python: keystoneauth's plugins log in with an OpenID provider. Prints what came of each."""

import json
import sys
from typing import Any

import requests
from keystoneauth1 import exceptions, loading, session

asked = json.load(sys.stdin)
ISSUER = asked["issuer"]
CLOUD = {"auth_url": asked["auth_url"], "identity_provider": "corp", "protocol": "openid"}
PROJECT = {"project_name": "lab", "project_domain_id": "default"}
FROM_PROVIDER = {"discovery_endpoint": f"{ISSUER}/.well-known/openid-configuration", "scope": "openid profile"}


def log_in(kind: str, **options: Any) -> dict[str, Any]:
    auth = loading.get_plugin_loader(kind).load_from_options(**CLOUD, **options)
    try:
        access = auth.get_access(session.Session())
    except exceptions.HttpError as error:
        return {"status": error.http_status}
    names = {"user": access.username, "project": access.project_name, "roles": sorted(access.role_names)}
    return {**names, "token": access.auth_token, "image": bool(access.service_catalog.get_endpoints("image"))}


def password(user: str, client: str = "cli", **options: Any) -> dict[str, Any]:
    secret = {"client_id": client, "client_secret": f"secret of {client}"}
    return log_in("v3oidcpassword", username=user, password=user[::-1], **secret, **FROM_PROVIDER, **options)


def tokens(user: str) -> dict[str, str]:
    """What the provider gives: an access token and an ID token."""
    asked = {"grant_type": "password", "username": user, "password": user[::-1], "scope": "openid profile"}
    given: dict[str, str] = requests.post(f"{ISSUER}/token", asked, auth=("cli", "secret of cli"), timeout=30).json()
    return given


given = tokens("alice")
robot = {"client_id": "robot", "client_secret": "secret of robot"}
print(
    json.dumps(
        {
            "password": password("alice", **PROJECT),
            "access token": log_in("v3oidcaccesstoken", access_token=given["access_token"], **PROJECT),
            "id token": log_in("v3oidcaccesstoken", access_token=given["id_token"], **PROJECT),
            "client credentials": log_in("v3oidcclientcredentials", **robot, **FROM_PROVIDER),
            "other groups": password("bob", **PROJECT),
            "unscoped": password("bob"),
            "other audience": password("alice", "game"),
            "given": given["access_token"],
        }
    )
)

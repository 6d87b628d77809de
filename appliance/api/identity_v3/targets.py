"""What the rules are told of the thing that a path names. A thing that does not exist is an almost empty target."""

from appliance.errors import NotFound
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.policy import Target
from appliance.identity.service import Identity
from appliance.identity.token import Token


def user_target(identity: Identity, user_id: str) -> Target:
    try:
        user = identity.users.get(user_id)
    except NotFound:
        return {"user_id": user_id}
    return {"user_id": user_id, "user.id": user["id"], "user.domain_id": user["domain_id"]}


def group_target(identity: Identity, group_id: str) -> Target:
    try:
        return {"group.domain_id": identity.groups.get(group_id)["domain_id"]}
    except NotFound:
        return {}


def project_target(identity: Identity, project_id: str) -> Target:
    try:
        project = identity.projects.get(project_id)
    except NotFound:
        return {}
    return {"project.id": project["id"], "project.domain_id": project["domain_id"]}


def home_domain(token: Token) -> str:
    """Where something new belongs that does not say: the token's domain, else the default one."""
    return token.domain_id or DEFAULT_DOMAIN

"""What the policies are told of the thing that a request is about: the target resolvers of the routes.

Each takes the identity service, the request and the parts of the path. A thing that does not exist is an almost empty
target, so that whoever may not see it learns nothing; where Keystone says first that it does not exist, so do these.
A resolver of a route with several policies says which of them counts.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from appliance.api.http.messages import Request
from appliance.api.identity_v3.presentation import asked
from appliance.errors import NotFound
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.policy.checks import NOTHING, Target
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token


class Chosen(NamedTuple):
    """One of a route's policies, and its target."""

    policy: str
    target: Target = NOTHING


Resolver = Callable[..., Target | Chosen]


def home_domain(token: Token) -> str:
    """Where something new belongs that does not say: the token's domain, else the default one."""
    return token.domain_id or DEFAULT_DOMAIN


# -- lists -------------------------------------------------------------------------------------------------------------


def own_domain(name: str) -> Resolver:
    """The domain of the token's scope, under this name: a list is narrowed to it."""
    return lambda identity, request: {f"target.{name}": request.caller.domain_id}


def own_user(name: str) -> Resolver:
    """The caller, under this name: a list is narrowed to what is theirs."""
    return lambda identity, request: {f"target.{name}": request.caller.user.id}


def listed_roles(identity: Identity, request: Request[Token]) -> Chosen:
    domain_ids = request.args("domain_id")
    return Chosen("identity:list_domain_roles" if domain_ids and domain_ids[0] else "identity:list_roles")


def listed_assignments(identity: Identity, request: Request[Token]) -> Chosen:
    if not asked(request, "include_subtree"):
        return Chosen("identity:list_role_assignments", {"target.domain_id": request.caller.domain_id})
    project_id = request.arg("scope.project.id")
    target = {"target.domain_id": identity.projects.get(project_id).domain_id} if project_id else NOTHING
    return Chosen("identity:list_role_assignments_for_tree", target)


def listed_trusts(identity: Identity, request: Request[Token]) -> Chosen:
    """Who asks for both parties needs to be the trustor: that narrows what they may see already."""
    for party in ("trustor", "trustee"):
        if user_id := request.arg(f"{party}_user_id"):
            return Chosen(f"identity:list_trusts_for_{party}", {f"target.trust.{party}_user_id": user_id})
    return Chosen("identity:list_trusts")


# -- what the path names -----------------------------------------------------------------------------------------------


def user(identity: Identity, request: Request[Token], user_id: str) -> Target:
    try:
        return {"target.user": identity.users.get(user_id)}
    except NotFound:
        return NOTHING


def group(identity: Identity, request: Request[Token], group_id: str) -> Target:
    try:
        return {"target.group": identity.groups.get(group_id)}
    except NotFound:
        return NOTHING


def known_group(identity: Identity, request: Request[Token], group_id: str) -> Target:
    """Raises `NotFound`."""
    return {"target.group": identity.groups.get(group_id)}


def membership(identity: Identity, request: Request[Token], group_id: str, user_id: str) -> Target:
    return {**user(identity, request, user_id), **group(identity, request, group_id)}


def domain(identity: Identity, request: Request[Token], domain_id: str) -> Target:
    return {"target.domain.id": domain_id}


def known_domain(identity: Identity, request: Request[Token], domain_id: str) -> Target:
    """Raises `NotFound`."""
    return {"target.domain": identity.domains.get(domain_id)}


def project(identity: Identity, request: Request[Token], project_id: str, **tag: str) -> Target:
    try:
        return {"target.project": identity.projects.get(project_id)}
    except NotFound:
        return NOTHING


def role(doing: str) -> Resolver:
    """The role, whose policy depends on whether it is one of a domain. Raises `NotFound`."""

    def resolve(identity: Identity, request: Request[Token], role_id: str) -> Chosen:
        found = identity.roles.get(role_id)
        policy = f"identity:{doing}_domain_role" if found.domain_id else f"identity:{doing}_role"
        return Chosen(policy, {"target.role": found})

    return resolve


def known_roles(identity: Identity, request: Request[Token], **role_ids: str) -> Target:
    """Nothing of the roles, but raises `NotFound` if there is one that isn't."""
    for role_id in role_ids.values():
        identity.roles.get(role_id)
    return NOTHING


def implied_role(identity: Identity, request: Request[Token], **role_ids: str) -> Chosen:
    known_roles(identity, request, **role_ids)
    return Chosen("identity:check_implied_role" if request.method == "HEAD" else "identity:get_implied_role")


def limit(identity: Identity, request: Request[Token], limit_id: str) -> Target:
    try:
        found = identity.limits.get(limit_id)
    except NotFound:
        return NOTHING
    project_id = found.project_id
    return {
        "target.limit": found,
        "target.limit.domain.id": found.domain_id,
        "target.limit.project.domain_id": identity.projects.get(project_id).domain_id if project_id else None,
    }


def known_limit(identity: Identity, request: Request[Token], limit_id: str) -> Target:
    """Nothing of the limit, but raises `NotFound` if there is none."""
    identity.limits.get(limit_id)
    return NOTHING


def config_group(
    identity: Identity, request: Request[Token], domain_id: str, group: str = "", option: str = ""
) -> Chosen:
    """Everybody may see what their password has to be like."""
    if group == "security_compliance":
        return Chosen("identity:get_security_compliance_domain_config")
    return Chosen("identity:get_domain_config")


# -- secrets and delegations -------------------------------------------------------------------------------------------


def credential(identity: Identity, request: Request[Token], credential_id: str) -> Target:
    try:
        return {"target.credential": identity.credentials.get(credential_id)}
    except NotFound:
        return NOTHING


def ec2_credentials(identity: Identity, request: Request[Any], user_id: str, **credential: str) -> Target:
    return {"target.credential.user_id": user_id}


def ec2_credential(identity: Identity, request: Request[Token], user_id: str, credential_id: str) -> Target:
    """Raises `NotFound`: that there is no such credential is told to anyone, as Keystone does."""
    own = identity.ec2_credentials.get(credential_id).user_id == user_id
    return {"target.credential.user_id": user_id} if own else NOTHING


def owner(identity: Identity, request: Request[Token], user_id: str, **record: str) -> Target:
    """The user of the path, whether they exist or not."""
    return {"user_id": user_id, "target.user.id": user_id}


def application_credential(
    identity: Identity, request: Request[Token], user_id: str, application_credential_id: str
) -> Target:
    """Whose it is counts, not whose the path says it is."""
    try:
        user_id = identity.application_credentials.get(application_credential_id).user_id
    except NotFound:
        pass
    return owner(identity, request, user_id)


def trust(identity: Identity, request: Request[Token], trust_id: str, **role: str) -> Target:
    """Raises `NotFound`: a trust that does not exist is a 404 for everyone; so Keystone's clients expect it."""
    return {"target.trust": identity.trusts.get(trust_id)}


# -- what is made ------------------------------------------------------------------------------------------------------


def new_user(identity: Identity, request: Request[Token]) -> Target:
    return {"target.user.domain_id": request.sent.get("domain_id", home_domain(request.caller))}


def new_group(identity: Identity, request: Request[Token]) -> Target:
    return {"target.group.domain_id": request.sent.get("domain_id", home_domain(request.caller))}


def new_project(identity: Identity, request: Request[Token]) -> Target:
    """One that is to be a domain is in none."""
    sent = request.sent
    domain_id = sent.get("domain_id")
    if not sent.get("is_domain"):
        domain_id = domain_id or home_domain(request.caller)
    return {"target.project.domain_id": domain_id}


def new_role(identity: Identity, request: Request[Token]) -> Chosen:
    of_domain = request.sent.get("domain_id")
    return Chosen("identity:create_domain_role" if of_domain else "identity:create_role")


def new_credential(identity: Identity, request: Request[Token]) -> Target:
    return {"target.credential.user_id": request.sent.get("user_id")}


def new_trust(identity: Identity, request: Request[Token]) -> Target:
    return {"target.trust.trustor_user_id": request.sent["trustor_user_id"]}

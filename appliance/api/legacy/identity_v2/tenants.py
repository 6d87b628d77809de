"""/v2.0/tenants and /v2.0/users."""

from collections.abc import Iterable

from appliance.api.http.messages import Request, Response
from appliance.api.identity_v3.delegation import refuse_own_log_in
from appliance.api.legacy.identity_v2.access import Access
from appliance.api.legacy.identity_v2.dialect import Principal, document, page_of, required, same_id, switches, text
from appliance.db.identity.projects import Project
from appliance.db.identity.users import User
from appliance.db.records import Filter, Page, Record, attributes
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.resources.assignments import Wanted
from appliance.identity.service import Identity

_HIDDEN_OF_USERS = (
    "domain_id",
    "created_at",
    "last_active_at",
    "password_expires_at",
    "default_project_id",
    "federated",
)
_OURS = ("id", "name", "username", "password", "OS-KSADM:password", "tenantId", "tenant_id", "options", "enabled")
_LONGEST_PASSWORD = 65536


class Users:
    def __init__(self, identity: Identity, access: Access) -> None:
        self._identity = identity
        self._access = access

    def list(self, request: Request[Principal]) -> Response:
        """GET /v2.0/users: all of them, or the one of a name"""
        name = request.arg("name")
        if name is None:
            found = self._identity.users.search([Filter("domain_id", DEFAULT_DOMAIN)], page_of(request))
            return Response(200, {"users": [shown_user(user) for user in found]})
        found = self._identity.users.search([Filter("domain_id", DEFAULT_DOMAIN), Filter("name", name)])
        if not found:
            raise NotFound(f"Could not find user: {name}.")
        return _user(found[0])

    def show(self, request: Request[Principal], user_id: str) -> Response:
        """GET /v2.0/users/{user_id}"""
        return _user(find_user(self._identity, user_id))

    def create(self, request: Request[Principal]) -> Response:
        """POST /v2.0/users: a user with a tenant becomes a member of it"""
        asked = document(request, "user")
        name = "name" if asked.get("name") is not None else "username"
        user = {**_user_fields(asked), "name": required(asked, name), "domain_id": DEFAULT_DOMAIN}
        tenant_id = user.get("default_project_id")
        if tenant_id:
            self._identity.projects.get(tenant_id)
        created = self._identity.users.create(user)
        if tenant_id:
            self._identity.legacy_member_role.join(created.id, tenant_id)
        return _user(created)

    def update(self, request: Request[Principal], user_id: str) -> Response:
        """PUT /v2.0/users/{user_id}, and below it /OS-KSADM/password, /enabled and /tenant"""
        asked = document(request, "user")
        same_id(asked, user_id)
        user = find_user(self._identity, user_id)
        changes = _user_fields(asked)
        if request.caller.token is not None and "password" in changes:
            refuse_own_log_in(request.caller.token, user_id)
        for name in ("name", "username"):
            if asked.get(name) is not None:
                changes["name"] = required(asked, name)
                break
        before, after = user.default_project_id, changes.get("default_project_id")
        if after:
            self._identity.projects.get(after)
        updated = self._identity.users.update(user_id, changes)
        if "default_project_id" in changes and after != before:
            if before:
                self._identity.legacy_member_role.leave(user_id, before)
            if after:
                self._identity.legacy_member_role.join(user_id, after)
        return _user(updated)

    def delete(self, request: Request[Principal], user_id: str) -> Response:
        """DELETE /v2.0/users/{user_id}"""
        find_user(self._identity, user_id)
        self._identity.users.delete(user_id)
        return Response(204)

    def change_own_password(self, request: Request[Principal], user_id: str) -> Response:
        """PATCH /v2.0/OS-KSCRUD/users/{user_id}: a new password, and a new token, for the old ones are void."""
        token = request.caller.require_token()
        asked = document(request, "user")
        password = required(asked, "password", _LONGEST_PASSWORD)
        original = text(asked, "original_password", _LONGEST_PASSWORD)
        if original is None:
            raise Invalid("The original password is missing.")
        if token.user.id != user_id or token.delegated:
            raise Forbidden("You are not authorized to change somebody else's password.")
        self._identity.users.change_password(user_id, original, password)
        identity = {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}}
        scope = {"project": {"id": token.project_id}} if token.project_id else "unscoped"
        fresh = self._identity.authentication.authenticate(identity, scope)
        return Response(200, self._access.document(request, fresh))


def find_user(identity: Identity, user_id: str) -> User:
    """The user, if it is one that v2.0 knows. Raises `NotFound`."""
    user = identity.users.get(user_id)
    if user.domain_id != DEFAULT_DOMAIN:
        raise NotFound(f"Could not find user: {user_id}.")
    return user


def shown_user(user: User) -> Record:
    """A user as v2.0 knows it: the name twice, the default project as `tenantId` if there is one."""
    shown = {name: value for name, value in attributes(user).items() if name not in _HIDDEN_OF_USERS}
    shown["username"] = user.name
    if user.default_project_id:
        shown["tenantId"] = user.default_project_id
    return shown


def _user(user: User) -> Response:
    return Response(200, {"user": shown_user(user)})


def _user_fields(asked: Record) -> Record:
    """What may be said of a user but the name; attributes that nobody knows, such as `email`, are kept."""
    fields = {name: value for name, value in asked.items() if name not in (*_OURS, *_HIDDEN_OF_USERS)} | switches(asked)
    for name in ("password", "OS-KSADM:password"):
        password = text(asked, name, _LONGEST_PASSWORD)
        if password is not None:
            fields["password"] = password
    for name in ("tenantId", "tenant_id"):
        if name in asked:
            fields["default_project_id"] = text(asked, name, 64) or None
    return fields


_HIDDEN = ("domain_id", "parent_id", "is_domain", "tags", "options")
_HERE = (Filter("domain_id", DEFAULT_DOMAIN), Filter("is_domain", 0))


class Tenants:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def own(self, request: Request[Principal]) -> Response:
        """GET /v2.0/tenants on the public port: those that the token's user can work in."""
        user_id = request.caller.require_token().user.id
        found = self._identity.assignments.projects_of(user_id)
        return _listed([project for project in found if project.domain_id == DEFAULT_DOMAIN], page_of(request))

    def list(self, request: Request[Principal]) -> Response:
        """GET /v2.0/tenants on the admin port: all of them, or the one of a name"""
        name = request.arg("name")
        if name is None:
            return _listed(self._identity.projects.search(_HERE), page_of(request))
        found = self._identity.projects.search([*_HERE, Filter("name", name)])
        if not found:
            raise NotFound(f"Could not find project: {name}.")
        return Response(200, {"tenant": shown_tenant(found[0])})

    def show(self, request: Request[Principal], tenant_id: str) -> Response:
        """GET /v2.0/tenants/{tenant_id}"""
        return Response(200, {"tenant": shown_tenant(find_tenant(self._identity, tenant_id))})

    def create(self, request: Request[Principal]) -> Response:
        """POST /v2.0/tenants"""
        tenant = document(request, "tenant")
        project = {**_fields(tenant), "name": required(tenant, "name", 64), "domain_id": DEFAULT_DOMAIN}
        return Response(200, {"tenant": shown_tenant(self._identity.projects.create(project))})

    def update(self, request: Request[Principal], tenant_id: str) -> Response:
        """POST and PUT /v2.0/tenants/{tenant_id}"""
        tenant = document(request, "tenant")
        same_id(tenant, tenant_id)
        find_tenant(self._identity, tenant_id)
        changes = _fields(tenant)
        if "name" in tenant:
            changes["name"] = required(tenant, "name", 64)
        if "description" in changes and changes["description"] is None:
            changes["description"] = ""
        return Response(200, {"tenant": shown_tenant(self._identity.projects.update(tenant_id, changes))})

    def delete(self, request: Request[Principal], tenant_id: str) -> Response:
        """DELETE /v2.0/tenants/{tenant_id}"""
        find_tenant(self._identity, tenant_id)
        self._identity.projects.delete(tenant_id)
        return Response(204)

    def users(self, request: Request[Principal], tenant_id: str) -> Response:
        """GET /v2.0/tenants/{tenant_id}/users"""
        find_tenant(self._identity, tenant_id)
        granted = self._identity.assignment_list.search(Wanted(project_id=tenant_id))
        ids = [one.grant.actor_id for one in granted if one.grant.actor_type == "user"]
        found = self._identity.users.search([Filter("domain_id", DEFAULT_DOMAIN)], ids=ids)
        return Response(200, {"users": [shown_user(user) for user in found]})


def find_tenant(identity: Identity, tenant_id: str) -> Project:
    """The project, if it is one that v2.0 knows. Raises `NotFound`."""
    project = identity.projects.get(tenant_id)
    if project.domain_id != DEFAULT_DOMAIN or project.is_domain:
        raise NotFound(f"Could not find project: {tenant_id}.")
    return project


def shown_tenant(project: Project) -> Record:
    return {name: value for name, value in attributes(project).items() if name not in _HIDDEN}


def _fields(tenant: Record) -> Record:
    """What may be said of a tenant but its name; attributes that nobody knows are kept."""
    ours = ("id", "name", "enabled", *_HIDDEN)
    text(tenant, "description", 65535)
    return {name: value for name, value in tenant.items() if name not in ours} | switches(tenant)


def _listed(projects: Iterable[Project], page: Page) -> Response:
    projects = sorted(projects, key=lambda project: project.id)
    shown = [shown_tenant(project) for project in projects if page.marker is None or project.id > page.marker]
    return Response(200, {"tenants": shown[: page.limit], "tenants_links": []})

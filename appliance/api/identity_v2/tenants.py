"""`/v2.0/tenants`: what projects were called."""

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v2.fields import document, page_of, required, same_id, switches, text
from appliance.api.identity_v2.gate import Visitor
from appliance.api.identity_v2.users import shown_user
from appliance.db.records import Filter, Page, Record
from appliance.errors import NotFound
from appliance.identity.assignment_list import Wanted
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.service import Identity

_HIDDEN = ("domain_id", "parent_id", "is_domain", "tags", "options")
_HERE = (Filter("domain_id", DEFAULT_DOMAIN), Filter("is_domain", 0))


class Tenants:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def own(self, request: Request[Visitor]) -> Reply:
        """GET /v2.0/tenants on the public port: those that the token's user can work in."""
        user_id = request.caller.require_token().user.id
        found = self._identity.assignments.projects_of(user_id)
        return _listed([project for project in found if project["domain_id"] == DEFAULT_DOMAIN], page_of(request))

    def list(self, request: Request[Visitor]) -> Reply:
        """GET /v2.0/tenants on the admin port: all of them, or the one of a name"""
        name = request.arg("name")
        if name is None:
            return _listed(self._identity.projects.search(_HERE), page_of(request))
        found = self._identity.projects.search([*_HERE, Filter("name", name)])
        if not found:
            raise NotFound(f"Could not find project: {name}.")
        return Reply(200, {"tenant": shown_tenant(found[0])})

    def show(self, request: Request[Visitor], tenant_id: str) -> Reply:
        """GET /v2.0/tenants/{tenant_id}"""
        return Reply(200, {"tenant": shown_tenant(find_tenant(self._identity, tenant_id))})

    def create(self, request: Request[Visitor]) -> Reply:
        """POST /v2.0/tenants"""
        tenant = document(request, "tenant")
        project = {**_fields(tenant), "name": required(tenant, "name", 64), "domain_id": DEFAULT_DOMAIN}
        return Reply(200, {"tenant": shown_tenant(self._identity.projects.create(project))})

    def update(self, request: Request[Visitor], tenant_id: str) -> Reply:
        """POST and PUT /v2.0/tenants/{tenant_id}"""
        tenant = document(request, "tenant")
        same_id(tenant, tenant_id)
        find_tenant(self._identity, tenant_id)
        changes = _fields(tenant)
        if "name" in tenant:
            changes["name"] = required(tenant, "name", 64)
        if "description" in changes and changes["description"] is None:
            changes["description"] = ""
        return Reply(200, {"tenant": shown_tenant(self._identity.projects.update(tenant_id, changes))})

    def delete(self, request: Request[Visitor], tenant_id: str) -> Reply:
        """DELETE /v2.0/tenants/{tenant_id}"""
        find_tenant(self._identity, tenant_id)
        self._identity.projects.delete(tenant_id)
        return Reply(204)

    def users(self, request: Request[Visitor], tenant_id: str) -> Reply:
        """GET /v2.0/tenants/{tenant_id}/users"""
        find_tenant(self._identity, tenant_id)
        granted = self._identity.assignment_list.search(Wanted(project_id=tenant_id))
        ids = [one.grant.actor_id for one in granted if one.grant.actor_type == "user"]
        found = self._identity.users.search([Filter("domain_id", DEFAULT_DOMAIN)], ids=ids)
        return Reply(200, {"users": [shown_user(user) for user in found]})


def find_tenant(identity: Identity, tenant_id: str) -> Record:
    """The project, if it is one that v2.0 knows. Raises `NotFound`."""
    project = identity.projects.get(tenant_id)
    if project["domain_id"] != DEFAULT_DOMAIN or project["is_domain"]:
        raise NotFound(f"Could not find project: {tenant_id}.")
    return project


def shown_tenant(project: Record) -> Record:
    return {name: value for name, value in project.items() if name not in _HIDDEN}


def _fields(tenant: Record) -> Record:
    """What may be said of a tenant but its name; attributes that nobody knows are kept."""
    ours = ("id", "name", "enabled", *_HIDDEN)
    text(tenant, "description", 65535)
    return {name: value for name, value in tenant.items() if name not in ours} | switches(tenant)


def _listed(projects: "list[Record]", page: Page) -> Reply:
    projects = sorted(projects, key=lambda project: str(project["id"]))
    shown = [shown_tenant(project) for project in projects if page.marker is None or project["id"] > page.marker]
    return Reply(200, {"tenants": shown[: page.limit], "tenants_links": []})

"""How records look to clients: which columns are shown, and in what form."""

from appliance.db.records import Record
from appliance.identity.catalog import Addresses, own_url
from appliance.values import micros_text

_INTERNAL = ("created_at", "last_active_at")


def shown_user(user: Record) -> Record:
    """Never a password; a default project only if there is one; times as Keystone writes them."""
    view = {key: value for key, value in user.items() if key not in _INTERNAL}
    if view.get("default_project_id") is None:
        view.pop("default_project_id", None)
    expires_at = user.get("password_expires_at")
    view["password_expires_at"] = None if expires_at is None else micros_text(expires_at).removesuffix("Z")
    return view


def shown_project(project: Record) -> Record:
    return {**project, "tags": project.get("tags", [])}


def shown_domain(domain: Record) -> Record:
    """A domain hides that it is a project."""
    hidden = ("domain_id", "parent_id", "is_domain")
    return {"tags": [], **{key: value for key, value in domain.items() if key not in hidden}}


def shown_role(role: Record) -> Record:
    return dict(role)


def shown_endpoint(endpoint: Record, addresses: Addresses) -> Record:
    """`region` is the former name of `region_id`, still read by clients."""
    return {**endpoint, "region": endpoint["region_id"], "url": own_url(endpoint["url"], addresses)}

"""An operator's policy file for the identity API: its rules count, and find what Keystone's rules find."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.client import Client, start
from tests.databases import open_test_database

Write = Callable[[str], None]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ruled") / "policy.yaml"


@pytest.fixture(scope="module")
def ruled(file: Path) -> Iterator[Client]:
    """With a domain, a project and a user in it who has the role helpdesk there."""
    file.write_text("")
    db = open_test_database(file.with_name("appliance.db"))
    client = start(file.parent, Settings(data_dir=file.parent, identity_policy_file=str(file)), db)
    domain = client.create("domain", {"name": "d"})["id"]
    project = client.create("project", {"name": "p", "domain_id": domain})["id"]
    role = client.create("role", {"name": "helpdesk"})["id"]
    user = client.create("user", {"name": "helper", "domain_id": domain, "password": "secret"})["id"]
    assert client.call("PUT", f"/v3/projects/{project}/users/{user}/roles/{role}").status == 204
    yield client
    db.close()


@pytest.fixture(scope="module")
def ids(ruled: Client) -> dict[str, str]:
    def of(path: str, key: str) -> str:
        found: str = ruled.call("GET", path).json[key][0]["id"]
        return found

    ids = {"domain": of("/v3/domains?name=d", "domains"), "project": of("/v3/projects?name=p", "projects")}
    ids["helper"] = of("/v3/users?name=helper", "users")
    ids["other"] = ruled.create("user", {"name": "other", "domain_id": ids["domain"], "description": "guest"})["id"]
    ids["admin"] = of("/v3/users?name=admin", "users")
    ids["token"] = ruled.log_in("helper", "secret", f"project_id:{ids['project']}", ids["domain"])
    return ids


HELP = "identity:update_user: rule:admin_required or "
TABLE = [
    ("", "PATCH", "/v3/users/{other}", 403),
    (f"{HELP} role:helpdesk", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} role:helpdesk and user_domain_id:%(target.user.domain_id)s", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} role:helpdesk and user_domain_id:%(target.user.domain_id)s", "PATCH", "/v3/users/{admin}", 403),
    (f"{HELP} role:helpdesk and token.project.id:{{project}}", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} 'other':%(target.user.name)s", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} 'guest':%(target.user.description)s", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} 'member':%(target.user.description)s", "PATCH", "/v3/users/{other}", 403),
    (f"{HELP} 'guest':%(request_body.user.description)s", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} '{{other}}':%(user_id)s", "PATCH", "/v3/users/{other}", 200),
    (f"{HELP} '{{other}}':%(user_id)s", "PATCH", "/v3/users/{helper}", 403),
    ("admin_required: role:helpdesk", "GET", "/v3/services", 200),
    ("identity:list_projects: role:helpdesk", "GET", "/v3/projects", 200),
    ("identity:list_users: '@'", "GET", "/v3/users", 200),
    ("identity:get_project: '!'", "GET", "/v3/projects/{project}", 403),
]


@pytest.mark.parametrize(("rules", "method", "path", "status"), TABLE)
def test_a_rule_of_the_file_decides(
    ruled: Client, file: Path, ids: dict[str, str], rules: str, method: str, path: str, status: int
) -> None:
    file.write_text(rules.format(**ids))
    body = {"user": {"description": "guest"}} if method == "PATCH" else None
    answer = ruled.call(method, path.format(**ids), body, token=ids["token"])
    assert answer.status == status, answer.text

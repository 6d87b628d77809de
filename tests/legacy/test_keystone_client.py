"""The `keystone` command of the time, command by command; what it did is looked up through today's API."""

import json
from typing import Any

import pytest

from tests.legacy.legacy_cloud import BOOTSTRAP, OldCloud

pytestmark = pytest.mark.legacy


def test_token_get_prints_a_token_of_the_tenant(cloud: OldCloud) -> None:
    shown = cloud.keystone("token-get").fields
    project = cloud.named("projects", "admin")
    assert project is not None and shown["tenant_id"] == project["id"]
    assert shown["expires"].endswith("Z")


def test_a_wrong_password_or_tenant_gets_no_token(cloud: OldCloud) -> None:
    cloud.keystone("--os-password", "wrong", "token-get", fails=True)
    cloud.keystone("--os-tenant-name", "no-such-tenant", "token-get", fails=True)


def test_without_a_tenant_the_token_has_no_scope(cloud: OldCloud) -> None:
    assert "tenant_id" not in cloud.keystone("token-get", OS_TENANT_NAME="").fields


def test_the_catalog_has_both_services_at_addresses_of_old(cloud: OldCloud) -> None:
    shown = cloud.keystone("catalog").out
    assert "Service: image" in shown and "Service: identity" in shown
    assert cloud.auth_url in shown and cloud.admin in shown
    assert cloud.image in cloud.keystone("catalog", "--service", "image").out
    assert cloud.image in cloud.keystone("endpoint-get", "--service", "image").out
    by_type = cloud.keystone("endpoint-get", "--service", "identity", "--endpoint-type", "adminURL")
    assert cloud.admin in by_type.out


def test_discover_finds_v2_on_both_ports(cloud: OldCloud) -> None:
    for url in (cloud.auth_url, cloud.admin):
        shown = cloud.keystone("--os-auth-url", url, "discover").out
        assert "v2.0" in shown and url in shown


def test_tenants_are_made_changed_and_deleted(cloud: OldCloud) -> None:
    made = cloud.keystone("tenant-create", "--name", "tour", "--description", "a tour").fields
    assert cloud.v3(f"projects/{made['id']}")["project"]["description"] == "a tour"
    assert cloud.keystone("tenant-get", "tour").fields["id"] == made["id"]
    assert cloud.keystone("tenant-get", made["id"]).fields["name"] == "tour"
    assert "tour" in cloud.keystone("tenant-list").out
    cloud.keystone("tenant-create", "--name", "tour", fails=True)
    cloud.keystone("tenant-update", "--name", "tour2", "--description", "toured", "--enabled", "false", made["id"])
    project = cloud.v3(f"projects/{made['id']}")["project"]
    assert (project["name"], project["description"], project["enabled"]) == ("tour2", "toured", False)
    disabled = cloud.keystone("tenant-create", "--name", "off", "--enabled", "false").fields
    assert cloud.v3(f"projects/{disabled['id']}")["project"]["enabled"] is False
    for name in ("tour2", "off"):
        cloud.keystone("tenant-delete", name)
        assert cloud.named("projects", name) is None
    cloud.keystone("tenant-get", "tour2", fails=True)


def test_users_are_made_changed_and_deleted(cloud: OldCloud) -> None:
    tenant = cloud.keystone("tenant-create", "--name", "people").fields["id"]
    words = ("--name", "ann", "--tenant", "people", "--pass", "pw1", "--email", "u@example.com", "--enabled", "true")
    made = cloud.keystone("user-create", *words).fields
    assert made["tenantId"] == tenant
    user = cloud.v3(f"users/{made['id']}")["user"]
    assert (user["email"], user["default_project_id"]) == ("u@example.com", tenant)
    cloud.keystone("user-create", "--name", "ann", "--pass", "pw1", fails=True)
    assert [row["name"] for row in cloud.keystone("user-list", "--tenant", "people").rows] == ["ann"]
    assert "ann" in cloud.keystone("user-list").out
    cloud.keystone("user-update", "--name", "bea", "--email", "v@example.com", "--enabled", "true", "ann")
    assert cloud.keystone("user-get", "bea").fields["email"] == "v@example.com"
    assert cloud.keystone("user-get", made["id"]).fields["name"] == "bea"
    cloud.keystone("user-get", "ann", fails=True)
    cloud.keystone("user-delete", "bea")
    assert cloud.v3(f"users/{made['id']}") is None
    cloud.keystone("tenant-delete", "people")


def test_passwords_are_changed_by_admins_and_by_oneself(cloud: OldCloud) -> None:
    cloud.keystone("tenant-create", "--name", "secrets")
    cloud.keystone("user-create", "--name", "cleo", "--tenant", "secrets", "--pass", "pw1")
    as_cleo: dict[str, Any] = {"OS_USERNAME": "cleo", "OS_TENANT_NAME": "secrets"}
    cloud.keystone("user-password-update", "--pass", "pw2", "cleo")
    cloud.keystone("token-get", OS_PASSWORD="pw2", **as_cleo)
    cloud.keystone("token-get", OS_PASSWORD="pw1", fails=True, **as_cleo)
    change = ("password-update", "--current-password", "pw2", "--new-password", "pw3")
    cloud.keystone(*change, OS_PASSWORD="pw2", **as_cleo)
    cloud.keystone("token-get", OS_PASSWORD="pw3", **as_cleo)
    cloud.keystone("user-list", OS_PASSWORD="pw3", fails=True, **as_cleo)
    cloud.keystone("tenant-create", "--name", "sneaky", OS_PASSWORD="pw3", fails=True, **as_cleo)
    assert cloud.named("projects", "sneaky") is None
    cloud.keystone("user-update", "--enabled", "false", "cleo")
    cloud.keystone("token-get", OS_PASSWORD="pw3", fails=True, **as_cleo)
    cloud.keystone("user-delete", "cleo")
    cloud.keystone("tenant-delete", "secrets")


def test_roles_are_made_granted_taken_and_deleted(cloud: OldCloud) -> None:
    tenant = cloud.keystone("tenant-create", "--name", "stage").fields["id"]
    user = cloud.keystone("user-create", "--name", "dan", "--tenant", "stage", "--pass", "pw").fields["id"]
    made = cloud.keystone("role-create", "--name", "actor").fields
    cloud.keystone("role-create", "--name", "actor", fails=True)
    assert cloud.keystone("role-get", "actor").fields["id"] == made["id"]
    assert cloud.keystone("role-get", made["id"]).fields["name"] == "actor"
    assert "actor" in cloud.keystone("role-list").out
    grant = ("--user", "dan", "--role", "actor", "--tenant", "stage")
    cloud.keystone("user-role-add", *grant)
    granted = cloud.v3(f"role_assignments?user.id={user}&scope.project.id={tenant}")["role_assignments"]
    assert made["id"] in [one["role"]["id"] for one in granted]
    listed = cloud.keystone("user-role-list", "--user", "dan", "--tenant", "stage").rows
    assert {row["name"] for row in listed} == {"_member_", "actor"}
    assert "admin" in cloud.keystone("user-role-list").out
    cloud.keystone("user-role-remove", *grant)
    assert [row["name"] for row in cloud.keystone("user-role-list", *grant[:2], *grant[4:]).rows] == ["_member_"]
    cloud.keystone("user-role-remove", *grant, fails=True)
    cloud.keystone("role-delete", "actor")
    assert cloud.named("roles", "actor") is None
    cloud.keystone("user-delete", "dan")
    cloud.keystone("tenant-delete", "stage")


def test_services_and_endpoints_appear_in_the_catalog(cloud: OldCloud) -> None:
    words = ("--name", "tours", "--type", "tour", "--description", "a tour")
    service = cloud.keystone("service-create", *words).fields["id"]
    assert cloud.v3(f"services/{service}")["service"]["description"] == "a tour"
    assert cloud.keystone("service-get", "tours").fields["id"] == service
    assert cloud.keystone("service-get", service).fields["type"] == "tour"
    assert "tours" in cloud.keystone("service-list").out
    urls = ("--publicurl", "http://127.0.0.1:9/v1/$(tenant_id)s", "--adminurl", "http://127.0.0.1:9")
    endpoint = cloud.keystone(
        *("endpoint-create", "--region", "tourRegion", "--service", "tours"),
        *urls,
        *("--internalurl", "http://127.0.0.1:9/v1/%(tenant_id)s"),
    ).fields["id"]
    rows = cloud.v3(f"endpoints?service_id={service}")["endpoints"]
    assert {row["interface"] for row in rows} == {"public", "internal", "admin"}
    assert {row["region_id"] for row in rows} == {"tourRegion"}
    listed = {row["id"]: row for row in cloud.keystone("endpoint-list").rows}
    assert listed[endpoint]["publicurl"] == "http://127.0.0.1:9/v1/$(tenant_id)s"
    project = cloud.named("projects", "admin")
    assert project is not None
    assert f"http://127.0.0.1:9/v1/{project['id']}" in cloud.keystone("catalog", "--service", "tour").out
    assert project["id"] in cloud.keystone("endpoint-get", "--service", "tour").out
    attribute = ("endpoint-get", "--service", "tour", "--attr", "region", "--value")
    assert project["id"] in cloud.keystone(*attribute, "tourRegion").out
    cloud.keystone(*attribute, "no-such-region", fails=True)
    cloud.keystone("endpoint-delete", endpoint)
    assert cloud.v3(f"endpoints?service_id={service}")["endpoints"] == []
    # The client says so, and ends as if nothing were wrong.
    assert "Unable to delete endpoint" in cloud.keystone("endpoint-delete", endpoint).text
    cloud.keystone("service-delete", "tours")
    assert cloud.v3(f"services/{service}") is None


def test_ec2_credentials_come_and_go(cloud: OldCloud) -> None:
    made = cloud.keystone("ec2-credentials-create").fields
    assert made["access"] in cloud.keystone("ec2-credentials-list").out
    assert cloud.keystone("ec2-credentials-get", "--access", made["access"]).fields["secret"] == made["secret"]
    admin = cloud.named("users", "admin")
    assert admin is not None
    assert [one["access"] for one in cloud.v3(f"users/{admin['id']}/credentials/OS-EC2")["credentials"]] == [
        made["access"]
    ]
    assert made["access"] in cloud.keystone("ec2-credentials-list", "--user-id", admin["id"]).out
    cloud.keystone("ec2-credentials-delete", "--access", made["access"])
    cloud.keystone("ec2-credentials-get", "--access", made["access"], fails=True)
    assert cloud.v3(f"users/{admin['id']}/credentials/OS-EC2")["credentials"] == []


def test_the_bootstrap_token_works_under_all_of_its_names(cloud: OldCloud) -> None:
    nobody: dict[str, Any] = {"OS_USERNAME": "", "OS_PASSWORD": "", "OS_TENANT_NAME": "", "OS_AUTH_URL": ""}
    cloud.keystone("role-list", SERVICE_TOKEN=BOOTSTRAP, SERVICE_ENDPOINT=cloud.admin, **nobody)
    cloud.keystone("role-list", OS_SERVICE_TOKEN=BOOTSTRAP, OS_SERVICE_ENDPOINT=cloud.admin, **nobody)
    cloud.keystone("--os-token", BOOTSTRAP, "--os-endpoint", cloud.admin, "role-list", **nobody)
    cloud.keystone("role-list", SERVICE_TOKEN="wrong", SERVICE_ENDPOINT=cloud.admin, fails=True, **nobody)
    words = ("--user-name", "boot", "--pass", "bootpw", "--role-name", "boot-role", "--tenant-name", "boot-tenant")
    cloud.keystone("bootstrap", *words, SERVICE_TOKEN=BOOTSTRAP, SERVICE_ENDPOINT=cloud.admin, **nobody)
    shown = cloud.keystone("token-get", OS_USERNAME="boot", OS_PASSWORD="bootpw", OS_TENANT_NAME="boot-tenant")
    user, tenant = cloud.named("users", "boot"), cloud.named("projects", "boot-tenant")
    assert user is not None and tenant is not None
    assert (shown.fields["user_id"], shown.fields["tenant_id"]) == (user["id"], tenant["id"])
    for kind, name in (("user", "boot"), ("role", "boot-role"), ("tenant", "boot-tenant")):
        cloud.keystone(f"{kind}-delete", name, SERVICE_TOKEN=BOOTSTRAP, SERVICE_ENDPOINT=cloud.admin, **nobody)
    assert cloud.named("users", "boot") is None


def test_no_token_is_in_the_log(cloud: OldCloud) -> None:
    cloud.keystone("user-list")
    assert BOOTSTRAP not in cloud.log()
    assert "eyJ" not in cloud.log()
    assert json.dumps("pw1") not in cloud.log()

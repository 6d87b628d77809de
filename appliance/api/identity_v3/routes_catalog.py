"""The routes of the catalog and of what hangs on it."""

from appliance.api.http.service import Route
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.auth import Ec2Tokens
from appliance.api.identity_v3.catalog import Endpoints, Regions, Services, known_interface
from appliance.api.identity_v3.credentials import Consumers, Credentials, Ec2Credentials, Policies, new_credential
from appliance.api.identity_v3.endpoint_filter import EndpointGroups, ProjectEndpoints, endpoint_policy_routes
from appliance.api.identity_v3.federation import federation_routes
from appliance.api.identity_v3.limits import Limits, RegisteredLimits
from appliance.api.identity_v3.presentation import Presenter, QueryParser
from appliance.api.identity_v3.projects import domain_config_routes
from appliance.api.identity_v3.schemas import bodies, body
from appliance.api.identity_v3.schemas_catalog import (
    CREDENTIAL_UPDATE,
    ENDPOINT_CREATE,
    ENDPOINT_GROUP_CREATE,
    ENDPOINT_GROUP_UPDATE,
    ENDPOINT_UPDATE,
    LIMIT_UPDATE,
    LIMITS_CREATE,
    REGION_CREATE,
    REGION_UPDATE,
    REGISTERED_LIMIT_UPDATE,
    REGISTERED_LIMITS_CREATE,
    SERVICE_CREATE,
    SERVICE_UPDATE,
)
from appliance.identity.service import Identity


def catalog_routes(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    """Every route of this side of the API."""
    return [
        *_catalog(identity, presenter, queries),
        *_endpoint_filters(identity, presenter, queries),
        *_policies(identity, presenter, queries),
        *_credentials(identity, presenter, queries),
        *_limits(identity, presenter, queries),
        *_consumers(identity, presenter, queries),
        *domain_config_routes(identity),
        *federation_routes(presenter),
    ]


def _catalog(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    regions = Regions(identity, presenter, queries)
    services = Services(identity, presenter, queries)
    endpoints = Endpoints(identity, presenter, queries)
    return [
        Route("GET", "/v3/regions", regions.list, "identity:list_regions"),
        Route("POST", "/v3/regions", regions.create, "identity:create_region", check=body("region", REGION_CREATE)),
        Route("GET", "/v3/regions/<region_id>", regions.show, "identity:get_region"),
        Route(
            "PUT", "/v3/regions/<region_id>", regions.put, "identity:create_region", check=body("region", REGION_CREATE)
        ),
        Route(
            "PATCH",
            "/v3/regions/<region_id>",
            regions.update,
            "identity:update_region",
            check=body("region", REGION_UPDATE),
        ),
        Route("DELETE", "/v3/regions/<region_id>", regions.delete, "identity:delete_region"),
        Route("GET", "/v3/services", services.list, "identity:list_services"),
        Route(
            "POST", "/v3/services", services.create, "identity:create_service", check=body("service", SERVICE_CREATE)
        ),
        Route("GET", "/v3/services/<service_id>", services.show, "identity:get_service"),
        Route(
            "PATCH",
            "/v3/services/<service_id>",
            services.update,
            "identity:update_service",
            check=body("service", SERVICE_UPDATE),
        ),
        Route("DELETE", "/v3/services/<service_id>", services.delete, "identity:delete_service"),
        Route("GET", "/v3/endpoints", endpoints.list, "identity:list_endpoints", check=known_interface),
        Route(
            "POST",
            "/v3/endpoints",
            endpoints.create,
            "identity:create_endpoint",
            check=body("endpoint", ENDPOINT_CREATE),
        ),
        Route("GET", "/v3/endpoints/<endpoint_id>", endpoints.show, "identity:get_endpoint"),
        Route(
            "PATCH",
            "/v3/endpoints/<endpoint_id>",
            endpoints.update,
            "identity:update_endpoint",
            check=body("endpoint", ENDPOINT_UPDATE),
        ),
        Route("DELETE", "/v3/endpoints/<endpoint_id>", endpoints.delete, "identity:delete_endpoint"),
    ]


def _endpoint_filters(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    base = "/v3/OS-EP-FILTER"
    groups = EndpointGroups(identity, presenter, queries)
    one = f"{base}/endpoint_groups/<endpoint_group_id>"
    given = ProjectEndpoints(identity, presenter)
    return [
        Route("GET", f"{base}/endpoint_groups", groups.list, "identity:list_endpoint_groups"),
        Route(
            "POST",
            f"{base}/endpoint_groups",
            groups.create,
            "identity:create_endpoint_group",
            check=body("endpoint_group", ENDPOINT_GROUP_CREATE),
        ),
        Route("GET", one, groups.show, "identity:get_endpoint_group"),
        Route(
            "PATCH",
            one,
            groups.update,
            "identity:update_endpoint_group",
            check=body("endpoint_group", ENDPOINT_GROUP_UPDATE),
        ),
        Route("DELETE", one, groups.delete, "identity:delete_endpoint_group"),
        Route("GET", f"{one}/endpoints", groups.endpoints, "identity:list_endpoints_associated_with_endpoint_group"),
        Route("GET", f"{one}/projects", groups.projects, "identity:list_projects_associated_with_endpoint_group"),
        Route("GET", f"{one}/projects/<project_id>", groups.show_given, "identity:get_endpoint_group_in_project"),
        Route("PUT", f"{one}/projects/<project_id>", groups.give, "identity:add_endpoint_group_to_project"),
        Route("DELETE", f"{one}/projects/<project_id>", groups.take, "identity:remove_endpoint_group_from_project"),
        Route(
            "GET",
            f"{base}/projects/<project_id>/endpoint_groups",
            groups.of_project,
            "identity:list_endpoint_groups_for_project",
        ),
        Route("GET", f"{base}/projects/<project_id>/endpoints", given.list, "identity:list_endpoints_for_project"),
        Route(
            "GET",
            f"{base}/projects/<project_id>/endpoints/<endpoint_id>",
            given.check,
            "identity:check_endpoint_in_project",
        ),
        Route(
            "PUT",
            f"{base}/projects/<project_id>/endpoints/<endpoint_id>",
            given.give,
            "identity:add_endpoint_to_project",
        ),
        Route(
            "DELETE",
            f"{base}/projects/<project_id>/endpoints/<endpoint_id>",
            given.take,
            "identity:remove_endpoint_from_project",
        ),
        Route("GET", f"{base}/endpoints/<endpoint_id>/projects", given.projects, "identity:list_projects_for_endpoint"),
    ]


def _policies(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    policies = Policies(identity, presenter, queries)
    return [
        Route("GET", "/v3/policies", policies.list, "identity:list_policies"),
        Route("POST", "/v3/policies", policies.create, "identity:create_policy"),
        Route("GET", "/v3/policies/<policy_id>", policies.show, "identity:get_policy"),
        Route("PATCH", "/v3/policies/<policy_id>", policies.update, "identity:update_policy"),
        Route("DELETE", "/v3/policies/<policy_id>", policies.delete, "identity:delete_policy"),
        *endpoint_policy_routes(identity, presenter),
    ]


def _credentials(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    credentials = Credentials(identity, presenter, queries)
    pairs = Ec2Credentials(identity, presenter)
    of_user = "/v3/users/<user_id>/credentials/OS-EC2"
    tokens = Ec2Tokens(identity, presenter)
    return [
        Route(
            "GET",
            "/v3/credentials",
            credentials.list,
            "identity:list_credentials",
            targets.own_user("credential.user_id"),
        ),
        Route(
            "POST",
            "/v3/credentials",
            credentials.create,
            "identity:create_credential",
            targets.new_credential,
            check=new_credential,
        ),
        Route(
            "GET", "/v3/credentials/<credential_id>", credentials.show, "identity:get_credential", targets.credential
        ),
        Route(
            "PATCH",
            "/v3/credentials/<credential_id>",
            credentials.update,
            "identity:update_credential",
            targets.credential,
            check=body("credential", CREDENTIAL_UPDATE),
        ),
        Route(
            "DELETE",
            "/v3/credentials/<credential_id>",
            credentials.delete,
            "identity:delete_credential",
            targets.credential,
        ),
        Route("GET", of_user, pairs.list, "identity:ec2_list_credentials", targets.ec2_credentials),
        Route("POST", of_user, pairs.create, "identity:ec2_create_credential", targets.ec2_credentials),
        Route("GET", f"{of_user}/<access>", pairs.show, "identity:ec2_get_credential", targets.ec2_credential),
        Route("DELETE", f"{of_user}/<access>", pairs.delete, "identity:ec2_delete_credential", targets.ec2_credential),
        Route("POST", "/v3/ec2tokens", tokens.ec2, "identity:ec2tokens_validate", frees=True),
        Route("POST", "/v3/s3tokens", tokens.s3, "identity:s3tokens_validate", frees=True),
    ]


def _limits(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    registered = RegisteredLimits(identity, presenter, queries)
    limits = Limits(identity, presenter, queries)
    return [
        Route("GET", "/v3/registered_limits", registered.list, "identity:list_registered_limits"),
        Route(
            "POST",
            "/v3/registered_limits",
            registered.create,
            "identity:create_registered_limits",
            check=bodies("registered_limits", REGISTERED_LIMITS_CREATE),
        ),
        Route("GET", "/v3/registered_limits/<registered_limit_id>", registered.show, "identity:get_registered_limit"),
        Route(
            "PATCH",
            "/v3/registered_limits/<registered_limit_id>",
            registered.update,
            "identity:update_registered_limit",
            check=body("registered_limit", REGISTERED_LIMIT_UPDATE),
        ),
        Route(
            "DELETE",
            "/v3/registered_limits/<registered_limit_id>",
            registered.delete,
            "identity:delete_registered_limit",
        ),
        Route("GET", "/v3/limits/model", limits.model, "identity:get_limit_model"),
        Route("GET", "/v3/limits", limits.list, "identity:list_limits"),
        Route("POST", "/v3/limits", limits.create, "identity:create_limits", check=bodies("limits", LIMITS_CREATE)),
        Route("GET", "/v3/limits/<limit_id>", limits.show, "identity:get_limit", targets.limit),
        Route(
            "PATCH",
            "/v3/limits/<limit_id>",
            limits.update,
            "identity:update_limit",
            targets.known_limit,
            check=body("limit", LIMIT_UPDATE),
        ),
        Route("DELETE", "/v3/limits/<limit_id>", limits.delete, "identity:delete_limit", targets.known_limit),
    ]


def _consumers(identity: Identity, presenter: Presenter, queries: QueryParser) -> list[Route]:
    consumers = Consumers(identity, presenter, queries)
    access_tokens = "/v3/users/<user_id>/OS-OAUTH1/access_tokens"
    return [
        Route("GET", "/v3/OS-OAUTH1/consumers", consumers.list, "identity:list_consumers"),
        Route("POST", "/v3/OS-OAUTH1/consumers", consumers.create, "identity:create_consumer"),
        Route("GET", "/v3/OS-OAUTH1/consumers/<consumer_id>", consumers.show, "identity:get_consumer"),
        Route("PATCH", "/v3/OS-OAUTH1/consumers/<consumer_id>", consumers.update, "identity:update_consumer"),
        Route("DELETE", "/v3/OS-OAUTH1/consumers/<consumer_id>", consumers.delete, "identity:delete_consumer"),
        Route("GET", access_tokens, consumers.access_tokens, "identity:list_access_tokens"),
        Route("GET", f"{access_tokens}/<access_token_id>", consumers.access_token, "identity:get_access_token"),
    ]

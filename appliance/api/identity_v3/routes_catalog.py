"""The routes of the catalog and of what hangs on it."""

from appliance.api.identity_v3.answers import Answers
from appliance.api.identity_v3.consumers import Consumers
from appliance.api.identity_v3.credentials import Credentials
from appliance.api.identity_v3.domain_configs import domain_config_routes
from appliance.api.identity_v3.ec2_credentials import Ec2Credentials
from appliance.api.identity_v3.ec2_tokens import Ec2Tokens
from appliance.api.identity_v3.endpoint_groups import EndpointGroups
from appliance.api.identity_v3.endpoint_policies import endpoint_policy_routes
from appliance.api.identity_v3.endpoints import Endpoints
from appliance.api.identity_v3.federation import federation_routes
from appliance.api.identity_v3.limits import Limits
from appliance.api.identity_v3.listing import Lists
from appliance.api.identity_v3.policies import Policies
from appliance.api.identity_v3.project_endpoints import ProjectEndpoints
from appliance.api.identity_v3.regions import Regions
from appliance.api.identity_v3.registered_limits import RegisteredLimits
from appliance.api.identity_v3.services import Services
from appliance.api.service import Route
from appliance.identity.service import Identity


def catalog_routes(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    """Every route of this side of the API."""
    return [
        *_catalog(identity, answers, lists),
        *_endpoint_filters(identity, answers, lists),
        *_policies(identity, answers, lists),
        *_credentials(identity, answers, lists),
        *_limits(identity, answers, lists),
        *_consumers(identity, answers, lists),
        *domain_config_routes(identity),
        *federation_routes(identity, answers),
    ]


def _catalog(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    regions = Regions(identity, answers, lists)
    services = Services(identity, answers, lists)
    endpoints = Endpoints(identity, answers, lists)
    return [
        Route("GET", "/v3/regions", regions.list),
        Route("POST", "/v3/regions", regions.create),
        Route("GET", "/v3/regions/<region_id>", regions.show),
        Route("PUT", "/v3/regions/<region_id>", regions.put),
        Route("PATCH", "/v3/regions/<region_id>", regions.update),
        Route("DELETE", "/v3/regions/<region_id>", regions.delete),
        Route("GET", "/v3/services", services.list),
        Route("POST", "/v3/services", services.create),
        Route("GET", "/v3/services/<service_id>", services.show),
        Route("PATCH", "/v3/services/<service_id>", services.update),
        Route("DELETE", "/v3/services/<service_id>", services.delete),
        Route("GET", "/v3/endpoints", endpoints.list),
        Route("POST", "/v3/endpoints", endpoints.create),
        Route("GET", "/v3/endpoints/<endpoint_id>", endpoints.show),
        Route("PATCH", "/v3/endpoints/<endpoint_id>", endpoints.update),
        Route("DELETE", "/v3/endpoints/<endpoint_id>", endpoints.delete),
    ]


def _endpoint_filters(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    base = "/v3/OS-EP-FILTER"
    groups = EndpointGroups(identity, answers, lists)
    one = f"{base}/endpoint_groups/<endpoint_group_id>"
    given = ProjectEndpoints(identity, answers)
    return [
        Route("GET", f"{base}/endpoint_groups", groups.list),
        Route("POST", f"{base}/endpoint_groups", groups.create),
        Route("GET", one, groups.show),
        Route("PATCH", one, groups.update),
        Route("DELETE", one, groups.delete),
        Route("GET", f"{one}/endpoints", groups.endpoints),
        Route("GET", f"{one}/projects", groups.projects),
        Route("GET", f"{one}/projects/<project_id>", groups.show_given),
        Route("PUT", f"{one}/projects/<project_id>", groups.give),
        Route("DELETE", f"{one}/projects/<project_id>", groups.take),
        Route("GET", f"{base}/projects/<project_id>/endpoint_groups", groups.of_project),
        Route("GET", f"{base}/projects/<project_id>/endpoints", given.list),
        Route("GET", f"{base}/projects/<project_id>/endpoints/<endpoint_id>", given.check),
        Route("PUT", f"{base}/projects/<project_id>/endpoints/<endpoint_id>", given.give),
        Route("DELETE", f"{base}/projects/<project_id>/endpoints/<endpoint_id>", given.take),
        Route("GET", f"{base}/endpoints/<endpoint_id>/projects", given.projects),
    ]


def _policies(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    policies = Policies(identity, answers, lists)
    return [
        Route("GET", "/v3/policies", policies.list),
        Route("POST", "/v3/policies", policies.create),
        Route("GET", "/v3/policies/<policy_id>", policies.show),
        Route("PATCH", "/v3/policies/<policy_id>", policies.update),
        Route("DELETE", "/v3/policies/<policy_id>", policies.delete),
        *endpoint_policy_routes(identity, answers),
    ]


def _credentials(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    credentials = Credentials(identity, answers, lists)
    pairs = Ec2Credentials(identity, answers)
    of_user = "/v3/users/<user_id>/credentials/OS-EC2"
    tokens = Ec2Tokens(identity, answers)
    return [
        Route("GET", "/v3/credentials", credentials.list),
        Route("POST", "/v3/credentials", credentials.create),
        Route("GET", "/v3/credentials/<credential_id>", credentials.show),
        Route("PATCH", "/v3/credentials/<credential_id>", credentials.update),
        Route("DELETE", "/v3/credentials/<credential_id>", credentials.delete),
        Route("GET", of_user, pairs.list),
        Route("POST", of_user, pairs.create),
        Route("GET", f"{of_user}/<access>", pairs.show),
        Route("DELETE", f"{of_user}/<access>", pairs.delete),
        Route("POST", "/v3/ec2tokens", tokens.ec2),
        Route("POST", "/v3/s3tokens", tokens.s3),
    ]


def _limits(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    registered = RegisteredLimits(identity, answers, lists)
    limits = Limits(identity, answers, lists)
    return [
        Route("GET", "/v3/registered_limits", registered.list),
        Route("POST", "/v3/registered_limits", registered.create),
        Route("GET", "/v3/registered_limits/<registered_limit_id>", registered.show),
        Route("PATCH", "/v3/registered_limits/<registered_limit_id>", registered.update),
        Route("DELETE", "/v3/registered_limits/<registered_limit_id>", registered.delete),
        Route("GET", "/v3/limits/model", limits.model),
        Route("GET", "/v3/limits", limits.list),
        Route("POST", "/v3/limits", limits.create),
        Route("GET", "/v3/limits/<limit_id>", limits.show),
        Route("PATCH", "/v3/limits/<limit_id>", limits.update),
        Route("DELETE", "/v3/limits/<limit_id>", limits.delete),
    ]


def _consumers(identity: Identity, answers: Answers, lists: Lists) -> list[Route]:
    consumers = Consumers(identity, answers, lists)
    access_tokens = "/v3/users/<user_id>/OS-OAUTH1/access_tokens"
    return [
        Route("GET", "/v3/OS-OAUTH1/consumers", consumers.list),
        Route("POST", "/v3/OS-OAUTH1/consumers", consumers.create),
        Route("GET", "/v3/OS-OAUTH1/consumers/<consumer_id>", consumers.show),
        Route("PATCH", "/v3/OS-OAUTH1/consumers/<consumer_id>", consumers.update),
        Route("DELETE", "/v3/OS-OAUTH1/consumers/<consumer_id>", consumers.delete),
        Route("GET", access_tokens, consumers.access_tokens),
        Route("GET", f"{access_tokens}/<access_token_id>", consumers.access_token),
    ]

"""/v3/domains/…/config: what is configured for a domain, and what holds where nothing is."""

from typing import Any

from appliance.api.exchange import Reply, Request
from appliance.api.identity_v3 import targets
from appliance.api.identity_v3.answers import done
from appliance.api.identity_v3.bodies import json_object
from appliance.api.service import Route
from appliance.db.records import Record
from appliance.identity.bootstrap import DEFAULT_DOMAIN
from appliance.identity.domain_configs import default
from appliance.identity.service import Identity
from appliance.identity.token import Token

_COMPLIANCE = "security_compliance"


class DomainConfigs:
    """Of the three addresses (all, a group, an option) the lower ones bring `group` and `option`."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._configs = identity.domain_configs

    def show(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Reply:
        """GET /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        if group == _COMPLIANCE:
            return _shown(self._configs.security_compliance(domain_id == DEFAULT_DOMAIN, option))
        self._identity.domains.get(domain_id)
        return _shown(self._configs.get(domain_id, group, option))

    def replace(self, request: Request[Token], domain_id: str) -> Reply:
        """PUT /v3/domains/{domain_id}/config"""
        self._identity.domains.get(domain_id)
        existed = self._configs.exists(domain_id)
        return _shown(self._configs.replace(domain_id, _config(request)), 200 if existed else 201)

    def update(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Reply:
        """PATCH /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        self._identity.domains.get(domain_id)
        return _shown(self._configs.update(domain_id, _config(request), group, option))

    def delete(
        self, request: Request[Token], domain_id: str, group: str | None = None, option: str | None = None
    ) -> Reply:
        """DELETE /v3/domains/{domain_id}/config[/{group}[/{option}]]"""
        self._identity.domains.get(domain_id)
        self._configs.delete(domain_id, group, option)
        return done()

    def default(self, request: Request[Token], group: str | None = None, option: str | None = None) -> Reply:
        """GET /v3/domains/config[/{group}[/{option}]]/default"""
        return _shown(default(group, option))


def _config(request: Request[Token]) -> Any:
    return json_object(request).get("config", {})


def _shown(config: Record, status: int = 200) -> Reply:
    return Reply(status, {"config": config})


def domain_config_routes(identity: Identity) -> list[Route]:
    configs = DomainConfigs(identity)
    found = [Route("PUT", "/v3/domains/<domain_id>/config", configs.replace, "identity:create_domain_config")]
    for below in ("", "/<group>", "/<group>/<option>"):
        found.append(
            Route("GET", f"/v3/domains/config{below}/default", configs.default, "identity:get_domain_config_default")
        )
        path = f"/v3/domains/<domain_id>/config{below}"
        found += [
            Route(
                "GET",
                path,
                configs.show,
                ("identity:get_domain_config", "identity:get_security_compliance_domain_config"),
                targets.config_group,
            ),
            Route("PATCH", path, configs.update, "identity:update_domain_config"),
            Route("DELETE", path, configs.delete, "identity:delete_domain_config"),
        ]
    return found

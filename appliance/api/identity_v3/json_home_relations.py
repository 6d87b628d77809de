"""The names of resources in JSON Home, and their addresses below `/v3`."""

CORE = {
    "auth_projects": "/auth/projects",
    "auth_domains": "/auth/domains",
    "auth_system": "/auth/system",
    "auth_catalog": "/auth/catalog",
    "auth_tokens": "/auth/tokens",
    "credentials": "/credentials",
    "credential": "/credentials/{credential_id}",
    "domains": "/domains",
    "domain": "/domains/{domain_id}",
    "domain_config": "/domains/{domain_id}/config",
    "domain_config_group": "/domains/{domain_id}/config/{group}",
    "domain_config_option": "/domains/{domain_id}/config/{group}/{option}",
    "domain_config_default": "/domains/config/default",
    "domain_config_default_group": "/domains/config/{group}/default",
    "domain_config_default_option": "/domains/config/{group}/{option}/default",
    "domain_user_roles": "/domains/{domain_id}/users/{user_id}/roles",
    "domain_user_role": "/domains/{domain_id}/users/{user_id}/roles/{role_id}",
    "domain_group_roles": "/domains/{domain_id}/groups/{group_id}/roles",
    "domain_group_role": "/domains/{domain_id}/groups/{group_id}/roles/{role_id}",
    "endpoints": "/endpoints",
    "endpoint": "/endpoints/{endpoint_id}",
    "groups": "/groups",
    "group": "/groups/{group_id}",
    "group_users": "/groups/{group_id}/users",
    "group_user": "/groups/{group_id}/users/{user_id}",
    "limits": "/limits",
    "limit": "/limits/{limit_id}",
    "limit_model": "/limits/model",
    "policies": "/policies",
    "policy": "/policies/{policy_id}",
    "projects": "/projects",
    "project": "/projects/{project_id}",
    "project_tags": "/projects/{project_id}/tags/{value}",
    "project_user_role": "/projects/{project_id}/users/{user_id}/roles/{role_id}",
    "project_user_roles": "/projects/{project_id}/users/{user_id}/roles",
    "project_group_role": "/projects/{project_id}/groups/{group_id}/roles/{role_id}",
    "project_group_roles": "/projects/{project_id}/groups/{group_id}/roles",
    "regions": "/regions",
    "region": "/regions/{region_id}",
    "registered_limits": "/registered_limits",
    "registered_limit": "/registered_limits/{registered_limit_id}",
    "role_assignments": "/role_assignments",
    "role_inferences": "/role_inferences",
    "roles": "/roles",
    "role": "/roles/{role_id}",
    "implied_roles": "/roles/{prior_role_id}/implies",
    "implied_role": "/roles/{prior_role_id}/implies/{implied_role_id}",
    "services": "/services",
    "service": "/services/{service_id}",
    "system_user_roles": "/system/users/{user_id}/roles",
    "system_user_role": "/system/users/{user_id}/roles/{role_id}",
    "system_group_roles": "/system/groups/{group_id}/roles",
    "system_group_role": "/system/groups/{group_id}/roles/{role_id}",
    "users": "/users",
    "user": "/users/{user_id}",
    "user_change_password": "/users/{user_id}/password",
    "user_groups": "/users/{user_id}/groups",
    "user_projects": "/users/{user_id}/projects",
    "application_credentials": "/users/{user_id}/application_credentials",
    "application_credential": "/users/{user_id}/application_credentials/{application_credential_id}",
    "access_rules": "/users/{user_id}/access_rules",
    "access_rule": "/users/{user_id}/access_rules/{access_rule_id}",
    "user_tokens": "/users/{user_id}/tokens",
}

EXTENSIONS = {
    "OS-FEDERATION": {
        "projects": "/auth/projects",
        "domains": "/auth/domains",
        "identity_providers": "/OS-FEDERATION/identity_providers",
        "identity_provider": "/OS-FEDERATION/identity_providers/{idp_id}",
        "identity_provider_protocol": "/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}",
        "identity_provider_protocols": "/OS-FEDERATION/identity_providers/{idp_id}/protocols",
        "mappings": "/OS-FEDERATION/mappings",
        "mapping": "/OS-FEDERATION/mappings/{mapping_id}",
        "service_providers": "/OS-FEDERATION/service_providers",
        "service_provider": "/OS-FEDERATION/service_providers/{service_provider_id}",
    },
    "OS-PKI": {
        "revocations": "/auth/tokens/OS-PKI/revoked",
    },
    "OS-EC2": {
        "ec2tokens": "/ec2tokens",
        "user_credentials": "/users/{user_id}/credentials/OS-EC2",
        "user_credential": "/users/{user_id}/credentials/OS-EC2/{credential_id}",
    },
    "OS-ENDPOINT-POLICY": {
        "endpoint_policy": "/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
        "policy_endpoints": "/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints",
        "endpoint_policy_association": "/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}",
        "service_policy_association": "/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}",
        "region_and_service_policy_association": (
            "/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}"
        ),
    },
    "OS-EP-FILTER": {
        "endpoint_groups": "/OS-EP-FILTER/endpoint_groups",
        "endpoint_group": "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}",
        "endpoint_projects": "/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
        "project_endpoint": "/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}",
        "project_endpoints": "/OS-EP-FILTER/projects/{project_id}/endpoints",
        "project_endpoint_groups": "/OS-EP-FILTER/projects/{project_id}/endpoint_groups",
        "endpoints_in_endpoint_group": "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints",
        "projects_associated_with_endpoint_group": "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects",
        "endpoint_group_to_project_association": (
            "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}"
        ),
    },
    "OS-INHERIT": {
        "domain_group_role_inherited_to_projects": (
            "/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects"
        ),
        "domain_group_roles_inherited_to_projects": (
            "/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects"
        ),
        "domain_user_role_inherited_to_projects": (
            "/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects"
        ),
        "domain_user_roles_inherited_to_projects": (
            "/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects"
        ),
        "project_user_role_inherited_to_projects": (
            "/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects"
        ),
        "project_group_role_inherited_to_projects": (
            "/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects"
        ),
    },
    "OS-OAUTH1": {
        "consumers": "/OS-OAUTH1/consumers",
        "consumer": "/OS-OAUTH1/consumers/{consumer_id}",
        "user_access_tokens": "/users/{user_id}/OS-OAUTH1/access_tokens",
        "user_access_token": "/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}",
    },
    "OS-REVOKE": {
        "events": "/OS-REVOKE/events",
    },
    "OS-SIMPLE-CERT": {
        "ca_certificate": "/OS-SIMPLE-CERT/ca",
        "certificates": "/OS-SIMPLE-CERT/certificates",
    },
    "s3tokens": {
        "s3tokens": "/s3tokens",
    },
    "OS-TRUST": {
        "trusts": "/OS-TRUST/trusts",
        "trust": "/OS-TRUST/trusts/{trust_id}",
        "trust_roles": "/OS-TRUST/trusts/{trust_id}/roles",
        "trust_role": "/OS-TRUST/trusts/{trust_id}/roles/{role_id}",
    },
}

PARAMETER_NAMES = {
    "group": "config_group",
    "option": "config_option",
    "value": "tag_value",
    "prior_role_id": "role_id",
    "implied_role_id": "role_id",
}
"""Variables that are documented under another name."""

EXTENSION_PARAMETERS = frozenset(
    {
        "access_token_id",
        "consumer_id",
        "endpoint_group_id",
        "idp_id",
        "mapping_id",
        "protocol_id",
        "service_provider_id",
        "trust_id",
    }
)
"""Variables that belong to an extension; the others are those of the core."""

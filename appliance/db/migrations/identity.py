"""The tables of the identity package: who there is, where they may act, and what was handed out in their names.

A domain is a project whose `is_domain` is 1, as in Keystone; so a domain's `domain_id` and `parent_id` are NULL.
`extra` holds the attributes that clients invent, `options` the resource options, both as JSON. Times are microseconds.
"""

import json

from appliance.db.engine.base import Schema

_IDENTITY = (
    """
    CREATE TABLE projects (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, domain_id TEXT REFERENCES projects(id),
        parent_id TEXT REFERENCES projects(id), is_domain INTEGER NOT NULL, enabled INTEGER NOT NULL,
        description TEXT NOT NULL, extra TEXT NOT NULL, options TEXT NOT NULL)
    """,
    "CREATE UNIQUE INDEX projects_by_name ON projects (domain_id, name) WHERE is_domain = 0",
    "CREATE UNIQUE INDEX domains_by_name ON projects (name) WHERE is_domain = 1",
    "CREATE INDEX projects_by_parent ON projects (parent_id)",
    """
    CREATE TABLE project_tags (
        project_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE, name TEXT NOT NULL,
        PRIMARY KEY (project_id, name))
    """,
    """
    CREATE TABLE users (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, domain_id TEXT NOT NULL REFERENCES projects(id),
        enabled INTEGER NOT NULL, default_project_id TEXT, extra TEXT NOT NULL, options TEXT NOT NULL,
        created_at INTEGER NOT NULL, last_active_at INTEGER,
        failed_auth_count INTEGER NOT NULL DEFAULT 0, failed_auth_at INTEGER,
        UNIQUE (domain_id, name))
    """,
    """
    CREATE TABLE passwords (
        id INTEGER PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        hash TEXT NOT NULL, self_service INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER)
    """,
    "CREATE INDEX passwords_by_user ON passwords (user_id, id)",
    """
    CREATE TABLE user_groups (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, domain_id TEXT NOT NULL REFERENCES projects(id),
        description TEXT NOT NULL, extra TEXT NOT NULL,
        UNIQUE (domain_id, name))
    """,
    """
    CREATE TABLE group_members (
        group_id TEXT NOT NULL REFERENCES user_groups(id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        PRIMARY KEY (group_id, user_id))
    """,
    "CREATE INDEX group_members_by_user ON group_members (user_id)",
    """
    CREATE TABLE roles (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, domain_id TEXT REFERENCES projects(id),
        description TEXT, extra TEXT NOT NULL, options TEXT NOT NULL)
    """,
    "CREATE UNIQUE INDEX roles_by_name ON roles (name) WHERE domain_id IS NULL",
    "CREATE UNIQUE INDEX domain_roles_by_name ON roles (domain_id, name) WHERE domain_id IS NOT NULL",
    """
    CREATE TABLE implied_roles (
        prior_role_id TEXT NOT NULL REFERENCES roles(id) ON DELETE CASCADE,
        implied_role_id TEXT NOT NULL REFERENCES roles(id) ON DELETE CASCADE,
        PRIMARY KEY (prior_role_id, implied_role_id))
    """,
    # actor_type is user or group; target_type is project, domain or system (whose target_id is 'system').
    """
    CREATE TABLE grants (
        actor_type TEXT NOT NULL, actor_id TEXT NOT NULL, target_type TEXT NOT NULL, target_id TEXT NOT NULL,
        role_id TEXT NOT NULL REFERENCES roles(id) ON DELETE CASCADE, inherited INTEGER NOT NULL,
        PRIMARY KEY (actor_type, actor_id, target_type, target_id, role_id, inherited))
    """,
    "CREATE INDEX grants_by_target ON grants (target_type, target_id)",
    "CREATE INDEX grants_by_role ON grants (role_id)",
    # Tokens of this kind and subject that were issued no later than issued_before are void.
    """
    CREATE TABLE revocations (
        kind TEXT NOT NULL, subject TEXT NOT NULL, issued_before INTEGER NOT NULL, forget_at INTEGER NOT NULL,
        PRIMARY KEY (kind, subject))
    """,
    """
    CREATE TABLE regions (
        id TEXT PRIMARY KEY, description TEXT NOT NULL, parent_region_id TEXT REFERENCES regions(id),
        extra TEXT NOT NULL)
    """,
    """
    CREATE TABLE services (
        id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT, description TEXT, enabled INTEGER NOT NULL,
        extra TEXT NOT NULL)
    """,
    """
    CREATE TABLE endpoints (
        id TEXT PRIMARY KEY, service_id TEXT NOT NULL REFERENCES services(id) ON DELETE CASCADE,
        region_id TEXT REFERENCES regions(id), interface TEXT NOT NULL, url TEXT NOT NULL,
        enabled INTEGER NOT NULL, extra TEXT NOT NULL)
    """,
    "CREATE INDEX endpoints_by_service ON endpoints (service_id)",
    """
    CREATE TABLE application_credentials (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        project_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE, secret_hash TEXT NOT NULL,
        description TEXT, expires_at INTEGER, unrestricted INTEGER NOT NULL,
        UNIQUE (user_id, name))
    """,
    """
    CREATE TABLE application_credential_roles (
        application_credential_id TEXT NOT NULL REFERENCES application_credentials(id) ON DELETE CASCADE,
        role_id TEXT NOT NULL REFERENCES roles(id) ON DELETE CASCADE,
        PRIMARY KEY (application_credential_id, role_id))
    """,
    """
    CREATE TABLE access_rules (
        id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        service TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
        UNIQUE (user_id, service, method, path))
    """,
    """
    CREATE TABLE application_credential_access_rules (
        application_credential_id TEXT NOT NULL REFERENCES application_credentials(id) ON DELETE CASCADE,
        access_rule_id TEXT NOT NULL REFERENCES access_rules(id),
        PRIMARY KEY (application_credential_id, access_rule_id))
    """,
    """
    CREATE TABLE trusts (
        id TEXT PRIMARY KEY, trustor_user_id TEXT NOT NULL, trustee_user_id TEXT NOT NULL, project_id TEXT,
        impersonation INTEGER NOT NULL, deleted_at INTEGER, expires_at INTEGER, remaining_uses INTEGER,
        redelegated_trust_id TEXT, redelegation_count INTEGER NOT NULL, extra TEXT NOT NULL)
    """,
    "CREATE INDEX trusts_by_trustor ON trusts (trustor_user_id)",
    "CREATE INDEX trusts_by_trustee ON trusts (trustee_user_id)",
    """
    CREATE TABLE trust_roles (
        trust_id TEXT NOT NULL REFERENCES trusts(id) ON DELETE CASCADE,
        role_id TEXT NOT NULL REFERENCES roles(id) ON DELETE CASCADE,
        PRIMARY KEY (trust_id, role_id))
    """,
)


def create_identity(db: Schema) -> None:
    """Make every table of the identity package."""
    for statement in _IDENTITY:
        db.execute(statement)


_CATALOG = (
    """
    CREATE TABLE endpoint_groups (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, filters TEXT NOT NULL)
    """,
    """
    CREATE TABLE project_endpoints (
        project_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
        endpoint_id TEXT NOT NULL REFERENCES endpoints(id) ON DELETE CASCADE,
        PRIMARY KEY (project_id, endpoint_id))
    """,
    "CREATE INDEX project_endpoints_by_endpoint ON project_endpoints (endpoint_id)",
    """
    CREATE TABLE project_endpoint_groups (
        project_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
        endpoint_group_id TEXT NOT NULL REFERENCES endpoint_groups(id) ON DELETE CASCADE,
        PRIMARY KEY (project_id, endpoint_group_id))
    """,
    "CREATE INDEX project_endpoint_groups_by_group ON project_endpoint_groups (endpoint_group_id)",
    "CREATE TABLE policies (id TEXT PRIMARY KEY, type TEXT NOT NULL, blob TEXT NOT NULL, extra TEXT NOT NULL)",
    # One of: an endpoint; a service; a service in a region.
    """
    CREATE TABLE policy_associations (
        policy_id TEXT NOT NULL REFERENCES policies(id) ON DELETE CASCADE,
        endpoint_id TEXT REFERENCES endpoints(id) ON DELETE CASCADE,
        service_id TEXT REFERENCES services(id) ON DELETE CASCADE,
        region_id TEXT REFERENCES regions(id) ON DELETE CASCADE)
    """,
    """
    CREATE UNIQUE INDEX policy_associations_by_place ON policy_associations
        (coalesce(endpoint_id, ''), coalesce(service_id, ''), coalesce(region_id, ''))
    """,
    # A credential may belong to a user or project that is not known here, as in Keystone; so no foreign keys.
    """
    CREATE TABLE credentials (
        id TEXT PRIMARY KEY, type TEXT NOT NULL, user_id TEXT NOT NULL, project_id TEXT,
        sealed_blob TEXT NOT NULL, extra TEXT NOT NULL)
    """,
    "CREATE INDEX credentials_by_user ON credentials (user_id, type)",
    "CREATE INDEX credentials_by_project ON credentials (project_id)",
    """
    CREATE TRIGGER credentials_end_with_user AFTER DELETE ON users
        BEGIN DELETE FROM credentials WHERE user_id = OLD.id; END
    """,
    """
    CREATE TRIGGER credentials_end_with_project AFTER DELETE ON projects
        BEGIN DELETE FROM credentials WHERE project_id = OLD.id; END
    """,
    """
    CREATE TABLE registered_limits (
        id TEXT PRIMARY KEY, service_id TEXT NOT NULL REFERENCES services(id) ON DELETE CASCADE,
        region_id TEXT REFERENCES regions(id) ON DELETE CASCADE, resource_name TEXT NOT NULL,
        default_limit INTEGER NOT NULL, description TEXT)
    """,
    """
    CREATE UNIQUE INDEX registered_limits_by_resource ON registered_limits
        (service_id, coalesce(region_id, ''), resource_name)
    """,
    # One of: a project; a domain.
    """
    CREATE TABLE limits (
        id TEXT PRIMARY KEY, registered_limit_id TEXT NOT NULL REFERENCES registered_limits(id) ON DELETE CASCADE,
        project_id TEXT REFERENCES projects(id) ON DELETE CASCADE,
        domain_id TEXT REFERENCES projects(id) ON DELETE CASCADE,
        resource_limit INTEGER NOT NULL, description TEXT)
    """,
    """
    CREATE UNIQUE INDEX limits_by_place ON limits
        (registered_limit_id, coalesce(project_id, ''), coalesce(domain_id, ''))
    """,
    "CREATE INDEX limits_by_project ON limits (project_id)",
    "CREATE INDEX limits_by_domain ON limits (domain_id)",
    "CREATE TABLE consumers (id TEXT PRIMARY KEY, description TEXT, secret TEXT NOT NULL, extra TEXT NOT NULL)",
    # "option" and "group" are words of SQL, hence the plurals; a value is JSON.
    """
    CREATE TABLE domain_config_options (
        domain_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
        group_name TEXT NOT NULL, option_name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (domain_id, group_name, option_name))
    """,
)


def create_catalog(db: Schema) -> None:
    """Make the tables. Those of `schema_identity` are there."""
    for statement in _CATALOG:
        db.execute(statement)


_STATEMENTS = (
    # Identity API v2.0 knows one endpoint with three addresses; `legacy_id` is its id.
    """
    CREATE TABLE legacy_endpoints (
        endpoint_id TEXT PRIMARY KEY REFERENCES endpoints(id) ON DELETE CASCADE, legacy_id TEXT NOT NULL)
    """,
    "CREATE INDEX legacy_endpoints_by_id ON legacy_endpoints (legacy_id)",
    # What Image API v1 shows of a deleted image, as JSON; only written where that API is served.
    "ALTER TABLE image_tombstones ADD COLUMN facts TEXT",
    # Image API v1 lets a member share on.
    "ALTER TABLE image_members ADD COLUMN can_share INTEGER NOT NULL DEFAULT 0",
)


def create_legacy(db: Schema) -> None:
    for statement in _STATEMENTS:
        db.execute(statement)


_PROOFS = (
    "CREATE TABLE used_proofs (proof TEXT PRIMARY KEY, used_at INTEGER NOT NULL)",
    "CREATE INDEX used_proofs_by_time ON used_proofs (used_at)",
    "CREATE INDEX revocations_by_end ON revocations (forget_at)",
    "CREATE INDEX revocations_by_time ON revocations (issued_before)",
)


def create_proofs(db: Schema) -> None:
    for statement in _PROOFS:
        db.execute(statement)


def move_service_descriptions(db: Schema) -> None:
    """Keep the description of a service with its other attributes: it may be null, and something else than text."""
    found = db.execute("SELECT id, description, extra FROM services WHERE description IS NOT NULL").fetchall()
    for service in found:
        extra = json.dumps({**json.loads(service["extra"]), "description": service["description"]})
        db.execute("UPDATE services SET description = NULL, extra = ? WHERE id = ?", [extra, service["id"]])


_FEDERATION = (
    """
    CREATE TABLE identity_providers (
        id TEXT PRIMARY KEY, domain_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
        enabled INTEGER NOT NULL, description TEXT, authorization_ttl INTEGER)
    """,
    "CREATE INDEX identity_providers_by_domain ON identity_providers (domain_id)",
    """
    CREATE TABLE identity_provider_remote_ids (
        remote_id TEXT PRIMARY KEY, idp_id TEXT NOT NULL REFERENCES identity_providers(id) ON DELETE CASCADE)
    """,
    "CREATE INDEX identity_provider_remote_ids_by_provider ON identity_provider_remote_ids (idp_id)",
    "CREATE TABLE attribute_mappings (id TEXT PRIMARY KEY, rules TEXT NOT NULL, schema_version TEXT NOT NULL)",
    # Tokens of log-ins by this protocol with a stamp no later than void_until are void.
    """
    CREATE TABLE federation_protocols (
        idp_id TEXT NOT NULL REFERENCES identity_providers(id) ON DELETE CASCADE, id TEXT NOT NULL,
        mapping_id TEXT NOT NULL, remote_id_attribute TEXT, void_until INTEGER NOT NULL,
        PRIMARY KEY (idp_id, id))
    """,
    """
    CREATE TABLE service_providers (
        id TEXT PRIMARY KEY, auth_url TEXT NOT NULL, sp_url TEXT NOT NULL, enabled INTEGER NOT NULL,
        description TEXT, relay_state_prefix TEXT NOT NULL)
    """,
    # Who a user is to identity providers. One that a log-in has made is in `users` under its own id as its name, which
    # no two can share; what it is called is here.
    """
    CREATE TABLE federated_users (
        idp_id TEXT NOT NULL, protocol_id TEXT NOT NULL, unique_id TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, display_name TEXT NOT NULL,
        PRIMARY KEY (idp_id, protocol_id, unique_id),
        FOREIGN KEY (idp_id, protocol_id) REFERENCES federation_protocols(idp_id, id) ON DELETE CASCADE)
    """,
    "CREATE INDEX federated_users_by_user ON federated_users (user_id)",
    "CREATE INDEX federated_users_by_name ON federated_users (display_name)",
    # The groups that the user's last log-in gave. Tokens of log-ins by the provider have them; what else acts for the
    # user has them until expires_at.
    """
    CREATE TABLE federated_group_members (
        user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        group_id TEXT NOT NULL REFERENCES user_groups(id) ON DELETE CASCADE,
        idp_id TEXT NOT NULL REFERENCES identity_providers(id) ON DELETE CASCADE,
        verified_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (user_id, group_id, idp_id))
    """,
    "CREATE INDEX federated_group_members_by_group ON federated_group_members (group_id)",
    "CREATE INDEX federated_group_members_by_provider ON federated_group_members (idp_id)",
    "CREATE INDEX federated_group_members_by_end ON federated_group_members (expires_at)",
)


def create_federation(db: Schema) -> None:
    """Make the tables of identity providers, and of the users that they vouch for."""
    for statement in _FEDERATION:
        db.execute(statement)


_OAUTH1 = (
    """
    CREATE TABLE oauth_request_tokens (
        id TEXT PRIMARY KEY, consumer_id TEXT NOT NULL REFERENCES consumers(id) ON DELETE CASCADE,
        project_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE, sealed_secret TEXT NOT NULL, verifier TEXT,
        authorizing_user_id TEXT REFERENCES users(id) ON DELETE CASCADE, role_ids TEXT NOT NULL, expires_at INTEGER)
    """,
    """
    CREATE TABLE oauth_access_tokens (
        id TEXT PRIMARY KEY, consumer_id TEXT NOT NULL REFERENCES consumers(id) ON DELETE CASCADE,
        project_id TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE, sealed_secret TEXT NOT NULL,
        authorizing_user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, role_ids TEXT NOT NULL,
        expires_at INTEGER)
    """,
    "CREATE INDEX oauth_access_tokens_by_user ON oauth_access_tokens (authorizing_user_id)",
)


def create_oauth1(db: Schema) -> None:
    """Make the tables of OAuth 1.0a. That of its consumers is there."""
    for statement in _OAUTH1:
        db.execute(statement)

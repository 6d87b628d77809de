"""The tables of the identity package: who there is, where they may act, and what was handed out in their names.

A domain is a project whose `is_domain` is 1, as in Keystone; so a domain's `domain_id` and `parent_id` are NULL.
`extra` holds the attributes that clients invent, `options` the resource options, both as JSON. Times are microseconds.
"""

from sqlite_utils import Database

_TABLES = (
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


def create_identity(db: Database) -> None:
    """Make every table of the identity package."""
    for statement in _TABLES:
        db.execute(statement)

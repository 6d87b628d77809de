"""The tables around the catalog: endpoint filters, policies, credentials, limits, consumers, domain configuration.

Where a column may be NULL and yet be part of what is unique, the index is on `coalesce(column, '')`.
"""

from sqlite_utils import Database

_TABLES = (
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


def create_catalog(db: Database) -> None:
    """Make the tables. Those of `schema_identity` are there."""
    for statement in _TABLES:
        db.execute(statement)

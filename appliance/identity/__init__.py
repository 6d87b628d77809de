"""Layer 2: users, projects, roles, tokens and the catalog: Keystone's domain."""

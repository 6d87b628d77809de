"""Identity API v3, as Keystone speaks it."""

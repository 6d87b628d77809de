"""Identity API v2.0."""

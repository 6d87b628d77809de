"""What Identity API v2.0 has and v3 has not."""

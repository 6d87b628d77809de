"""The resources of the identity API, one module per kind."""

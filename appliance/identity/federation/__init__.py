"""Users whom an identity provider knows: mappings, providers, log-in."""

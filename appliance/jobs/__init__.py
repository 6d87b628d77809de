"""Floor 4: background work."""

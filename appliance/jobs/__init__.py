"""Layer 4: background work."""

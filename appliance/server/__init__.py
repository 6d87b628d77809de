"""Layer 4: waitress made to stream. Knows HTTP, not Glance."""

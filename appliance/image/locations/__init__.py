"""Images whose bytes are elsewhere."""

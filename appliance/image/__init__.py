"""Layer 2: what an image is, and who may do what to it."""

"""The image cache: copies of bytes that are elsewhere."""

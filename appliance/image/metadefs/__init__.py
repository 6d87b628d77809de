"""Metadata definitions: which properties images and other resources may carry, and what they mean."""

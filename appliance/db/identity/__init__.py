"""Rows of the identity service."""

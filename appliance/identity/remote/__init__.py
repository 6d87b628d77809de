"""Tokens of another Keystone."""

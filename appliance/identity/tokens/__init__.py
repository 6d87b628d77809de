"""Tokens: what they say, how they are signed and validated, when they end."""

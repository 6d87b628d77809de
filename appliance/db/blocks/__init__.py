"""Rows of the block store: which block is in which segment, and what refers to it."""

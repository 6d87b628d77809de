"""Rows of images and of what belongs to them."""

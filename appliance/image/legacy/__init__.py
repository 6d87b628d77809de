"""What Image API v1 does with images that v2 does otherwise."""

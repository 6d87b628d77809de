"""Image API v1, as Glance spoke it until 2018."""

"""Image API v2, as Glance speaks it."""

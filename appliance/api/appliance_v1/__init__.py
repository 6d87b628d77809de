"""Our own few routes beside the image API, for admins: what Glance has no words for."""

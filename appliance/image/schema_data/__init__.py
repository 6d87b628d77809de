"""The JSON schemas that the image API publishes, as data: one file for each family of resources."""

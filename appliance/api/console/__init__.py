"""The console: a page for browsers that speaks the same APIs as every other client."""

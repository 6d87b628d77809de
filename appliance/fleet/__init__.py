"""Images that follow each other across sites: signed feeds of them, over HTTP, as static files, or on a stick."""

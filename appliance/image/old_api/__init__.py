"""What only Image API v1 asks of images: killing, copying from the web, sharing on, and looking at the deleted."""

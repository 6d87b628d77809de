"""Layer 3: the dialects. The only layer that imports bottle; one folder per dialect, one file per resource."""

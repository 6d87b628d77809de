"""Layer 3: the dialects. One folder per dialect, one file per resource."""

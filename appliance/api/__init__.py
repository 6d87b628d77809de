"""Floor 3: the dialects. The only floor that imports bottle; one folder per dialect, one file per resource."""

"""Layer 1: rows. The only layer with SQL; one file per aggregate."""

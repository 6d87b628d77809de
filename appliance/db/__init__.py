"""Floor 1: rows. The only floor that knows SQLite; one file per aggregate."""

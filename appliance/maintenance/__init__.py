"""Work on a data directory as a whole: backup, restore, the doctor."""

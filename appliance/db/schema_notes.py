"""Migration steps of the notes."""

from sqlite_utils import Database


def create_notes(db: Database) -> None:
    """The table of notes."""
    db.execute("CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")

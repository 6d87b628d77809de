"""Migration step: proofs that are good once, and an index for what is dropped when its time has come."""

from sqlite_utils import Database

_STATEMENTS = (
    "CREATE TABLE used_proofs (proof TEXT PRIMARY KEY, used_at INTEGER NOT NULL)",
    "CREATE INDEX used_proofs_by_time ON used_proofs (used_at)",
    "CREATE INDEX revocations_by_end ON revocations (forget_at)",
    "CREATE INDEX revocations_by_time ON revocations (issued_before)",
)


def create_proofs(db: Database) -> None:
    for statement in _STATEMENTS:
        db.execute(statement)

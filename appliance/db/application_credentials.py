"""Rows of application credentials, of the roles they carry and of the access rules that narrow them."""

from appliance.db.database import Row, Tx
from appliance.db.records import Reader, Record, Shape

APPLICATION_CREDENTIALS = Shape(
    "application_credentials",
    ("id", "name", "user_id", "project_id", "secret_hash", "description", "expires_at", "unrestricted"),
    booleans=frozenset({"unrestricted"}),
    extra=False,
)
ACCESS_RULES = Shape("access_rules", ("id", "user_id", "service", "method", "path"), extra=False)


def replace_hash(tx: Tx, credential_id: str, old: str, new: str) -> None:
    """Keep the same secret in another form."""
    tx.execute(
        "UPDATE application_credentials SET secret_hash = ? WHERE id = ? AND secret_hash = ?", (new, credential_id, old)
    )


def role_ids(reader: Reader, credential_id: str) -> list[str]:
    rows = reader.rows(
        "SELECT role_id FROM application_credential_roles WHERE application_credential_id = ? ORDER BY role_id",
        (credential_id,),
    )
    return [row["role_id"] for row in rows]


def add_role(tx: Tx, credential_id: str, role_id: str) -> None:
    tx.execute("INSERT INTO application_credential_roles VALUES (?, ?)", (credential_id, role_id))


def rules_of(reader: Reader, credential_id: str) -> list[Row]:
    return reader.rows(
        "SELECT id, service, method, path FROM access_rules JOIN application_credential_access_rules "
        "ON access_rule_id = access_rules.id WHERE application_credential_id = ? ORDER BY id",
        (credential_id,),
    )


def find_rule(reader: Reader, user_id: str, service: str, method: str, path: str) -> str | None:
    """The id of the user's rule that says just this."""
    row = reader.row(
        "SELECT id FROM access_rules WHERE user_id = ? AND service = ? AND method = ? AND path = ?",
        (user_id, service, method, path),
    )
    return None if row is None else row["id"]


def attach_rule(tx: Tx, credential_id: str, rule_id: str) -> None:
    tx.execute(
        "INSERT INTO application_credential_access_rules VALUES (?, ?) ON CONFLICT DO NOTHING", (credential_id, rule_id)
    )


def rule_in_use(reader: Reader, rule_id: str) -> bool:
    row = reader.row("SELECT 1 FROM application_credential_access_rules WHERE access_rule_id = ?", (rule_id,))
    return row is not None


def count_of_user(reader: Reader, user_id: str) -> int:
    row = reader.row("SELECT count(*) AS count FROM application_credentials WHERE user_id = ?", (user_id,))
    return 0 if row is None else row["count"]


def insert_rule(tx: Tx, rule: Record) -> None:
    tx.execute(
        "INSERT INTO access_rules (id, user_id, service, method, path) VALUES (?, ?, ?, ?, ?)",
        (rule["id"], rule["user_id"], rule["service"], rule["method"], rule["path"]),
    )

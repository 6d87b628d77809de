"""Who could get in and put everything right: the enabled users with the role admin."""

from appliance.db import projects as project_rows
from appliance.db import roles as role_rows
from appliance.db import users as user_rows
from appliance.db.database import Database
from appliance.db.grants import Grant
from appliance.db.records import Reader, Record, find, find_many
from appliance.identity.assignment_list import AssignmentList, Wanted
from appliance.identity.bootstrap import ADMIN, DEFAULT_DOMAIN
from appliance.identity.ledger import Ledger
from appliance.identity.passwords import Passwords
from appliance.values import now


def administrators(db: Database) -> list[Record]:
    """The users who have a password and the role admin, by whatever way, on something; all of it enabled."""
    role = role_rows.by_name(db, ADMIN)
    if role is None:
        return []
    wanted = Wanted(role_id=role["id"], effective=True)
    grants = [one.grant for one in AssignmentList(Ledger(db, now)).search(wanted)]
    ids = {grant.actor_id for grant in grants if _is_open(db, grant)}
    return [
        user
        for user in find_many(db, user_rows.USERS, sorted(ids))
        if user["enabled"] and _is_enabled(db, user["domain_id"]) and user_rows.password(db, user["id"]) is not None
    ]


def has_users(db: Database) -> bool:
    """Whether the first rows were ever made; a database that was rebuilt has none until the next start."""
    return find(db, project_rows.PROJECTS, DEFAULT_DOMAIN) is not None


def has_password(db: Reader, passwords: Passwords, name: str, domain_id: str, password: str) -> bool:
    """Whether this is the user's password. Counts as no attempt to log in."""
    user = user_rows.by_name(db, name, domain_id)
    stored = user_rows.password(db, user["id"]) if user is not None else None
    return stored is not None and passwords.verify(password, stored["hash"])


def _is_open(db: Database, grant: Grant) -> bool:
    """Whether a token for what the grant is on can be had."""
    return grant.target_type == "system" or _is_enabled(db, grant.target_id)


def _is_enabled(db: Database, project_id: str) -> bool:
    """Whether a project and its domain, or a domain, are enabled."""
    project = find(db, project_rows.PROJECTS, project_id)
    if project is None or not project["enabled"]:
        return False
    return project["domain_id"] is None or _is_enabled(db, project["domain_id"])

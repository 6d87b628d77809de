"""Whether the administrator's password in `clouds.yaml` is still the one in force: the API may have changed it."""

from appliance import client_files
from appliance.datadir import DataDir
from appliance.db.read_only import looking
from appliance.errors import ApplianceError
from appliance.identity.administrators import has_password
from appliance.identity.bootstrap import ADMIN, DEFAULT_DOMAIN
from appliance.identity.passwords import Passwords


def stale_password(directory: DataDir) -> str:
    """A sentence if it is not; empty if it is, and where that can't be known. Counts as no attempt to log in."""
    try:
        password = client_files.password_of(directory)
        if not password:
            return ""
        with looking(directory.database) as reader:
            if has_password(reader, Passwords(), ADMIN, DEFAULT_DOMAIN, password):
                return ""
    except (OSError, ApplianceError):
        return ""
    return (
        f"the password in {directory.clouds} is not the one of admin; `identity set-admin-password`, while the "
        "appliance is stopped, sets a new one and writes it there"
    )

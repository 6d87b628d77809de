"""Rows of credentials. What they hold is sealed before it gets here."""

from appliance.db.records import Shape

CREDENTIALS = Shape("credentials", ("id", "type", "user_id", "project_id", "sealed_blob"))

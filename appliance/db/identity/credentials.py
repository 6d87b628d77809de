"""Rows of credentials and OAuth consumers."""

from appliance.db.records import Shape

CREDENTIALS = Shape("credentials", ("id", "type", "user_id", "project_id", "sealed_blob"))


CONSUMERS = Shape("consumers", ("id", "description", "secret"))

"""Rows of credentials and OAuth consumers."""

from appliance.db.records import TableSchema

CREDENTIALS = TableSchema("credentials", ("id", "type", "user_id", "project_id", "sealed_blob"))


CONSUMERS = TableSchema("consumers", ("id", "description", "secret"))

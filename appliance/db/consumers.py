"""Rows of OAuth1 consumers."""

from appliance.db.records import Shape

CONSUMERS = Shape("consumers", ("id", "description", "secret"))

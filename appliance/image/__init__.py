"""Layer 2: what an image is, and who may do what to it."""

from appliance.lazy import defer

# The package of the format inspector imports it for another of its modules: some hundred regular expressions.
defer("oslo_utils", "strutils")

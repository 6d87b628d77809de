"""Layer 1: rows. The only layer with SQL; one file per aggregate."""

from appliance.lazy import defer

# sqlite-utils reads dates in every spelling for its own command line, which nothing here uses.
defer("dateutil", "parser")

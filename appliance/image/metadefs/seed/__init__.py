"""The catalog that a new appliance starts with: one JSON file for each namespace."""

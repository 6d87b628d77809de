"""The Glance appliance: OpenStack's image service, with an identity service, in one process."""

from appliance.lazy import defer

__version__ = "0.1.0"

# What takes long to load, and most starts do without: see lazy.py.
defer(
    # a first start, or a migration
    "sqlite_utils",
    "appliance.image.metadefs.seed_loader",
    # what sqlite-utils and the format inspector import for parts of theirs that nothing here uses
    "dateutil.parser",
    "oslo_utils.strutils",
    # files that operators write: clouds.yaml, policies, protections
    "yaml",
    "configparser",
    # certificates, of HTTPS and of signed images
    "cryptography.x509",
    "appliance.certificates",
    # what only some settings ask for, or have asked for once
    "zstandard",
    "appliance.api.legacy.versions",
)

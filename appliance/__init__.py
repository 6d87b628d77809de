"""The Glance appliance: OpenStack's image service, with an identity service, in one process."""

__version__ = "0.1.0"

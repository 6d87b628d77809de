"""The flags that say which cloud is meant: their names, and where on the command line they may stand."""

from collections.abc import Mapping, Sequence

AUTH = {
    "auth_url": "address of the identity service",
    "username": "user's name",
    "user_id": "user's id",
    "password": "user's password",
    "user_domain_name": "name of the user's domain",
    "user_domain_id": "id of the user's domain [default]",
    "project_name": "project to act in, by name",
    "project_id": "project to act in, by id",
    "project_domain_name": "name of the project's domain",
    "project_domain_id": "id of the project's domain [default]",
    "domain_name": "domain to act on, by name",
    "domain_id": "domain to act on, by id",
    "system_scope": "act on the whole system: all",
    "trust_id": "trust to use",
    "token": "token to use in place of a password",
    "application_credential_id": "application credential, by id",
    "application_credential_name": "application credential, by name",
    "application_credential_secret": "application credential's secret",
}
"""What may stand in the `auth` part of a cloud. Each is also a flag `--os-…` and a variable `OS_…`."""

OTHER = {
    "auth_type": "password, token or v3applicationcredential [whatever the rest fits]",
    "region_name": "region of the services",
    "interface": "public, internal or admin [public]",
    "cacert": "file of certificates to trust",
    "image_endpoint_override": "address of the image service, in place of the catalog's",
}


def cloud_flags() -> Mapping[str, bool]:
    """Every such flag with whether it takes a value."""
    valued = ("data_dir", "os_cloud", *(f"os_{name}" for name in {**AUTH, **OTHER}))
    return {**{"--" + name.replace("_", "-"): True for name in valued}, "--insecure": False}


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags of the cloud that a command line begins with, and the rest of it."""
    takes_value = cloud_flags()
    at = 0
    while at < len(words) and (name := words[at].partition("=")[0]) in takes_value:
        at += 2 if takes_value[name] and "=" not in words[at] else 1
    return list(words[:at]), list(words[at:])

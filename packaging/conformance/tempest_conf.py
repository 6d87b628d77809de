"""`tempest.conf` for a running appliance: which features the tests may take for granted, and where things are."""

import configparser
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Addresses:
    """Where the services under test and the files for imports are."""

    identity: str
    files: str
    remote: str | None  # the type of the catalog's second image service


def write_conf(folder: Path, profile: str, addresses: Addresses, password: str) -> Path:
    """Write the file; returns where it is."""
    locks = folder / "locks"
    locks.mkdir()
    admin = {f"admin_{name}": "Default" for name in ("domain_name", "user_domain_name", "project_domain_name")}
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_file": folder / "tempest-debug.log", "debug": True},
        "oslo_concurrency": {"lock_path": locks},
        "auth": {
            "use_dynamic_credentials": True,
            "create_isolated_networks": False,
            "admin_username": "admin",
            "admin_project_name": "admin",
            "admin_password": password,
            "admin_system": "all",
            "default_credentials_domain_name": "Default",
            **admin,
        },
        "identity": {
            "uri_v3": addresses.identity,
            "auth_version": "v3",
            "v3_endpoint_type": "public",
            "region": "RegionOne",
            "user_lockout_failure_attempts": 2,
            "user_lockout_duration": 5,
            "user_unique_last_password_count": 2,
        },
        "identity-feature-enabled": {
            "trust": True,
            "access_rules": True,
            "security_compliance": True,
            "api_extensions": "all",
            "domain_specific_drivers": False,
        },
        "image": {
            "region": "RegionOne",
            "http_image": f"{addresses.files}/data.bin",
            "http_qcow2_image": f"{addresses.files}/disk.qcow2",
            "image_caching_enabled": True,
            **({"alternate_image_endpoint": addresses.remote} if addresses.remote else {}),
            "build_timeout": 60,
        },
        "image-feature-enabled": {
            "import_image": True,
            "os_glance_reserved": True,
            "manage_locations": True,
            "http_store_enabled": True,
            "store_weight_enabled": True,
            "image_conversion": False,
            "do_secure_hash": profile != "nohash",
            "image_format_enforcement": profile != "noformat",
        },
        "service_available": {
            "glance": True,
            **dict.fromkeys(("nova", "cinder", "neutron", "swift", "horizon"), False),
        },
        "enforce_scope": {"glance": True, "keystone": True},
    }
    conf = configparser.RawConfigParser(default_section="")
    conf.read_dict({name: {key: str(value) for key, value in keys.items()} for name, keys in sections.items()})
    path = folder / "tempest.conf"
    with path.open("w") as out:
        conf.write(out)
    path.chmod(0o600)
    return path

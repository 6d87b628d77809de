"""Whose cloud a client's verb talks to: flags, the environment, clouds.yaml."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from appliance.errors import Fatal, WrongUsage

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
"""What may be in the `auth` part of a cloud. Each is also a flag `--os-…` and a variable `OS_…`."""

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


_OF_OLD = {"tenant_name": "project_name", "tenant_id": "project_id", "default_domain": "user_domain_id"}
_INSTALLED = Path("/var/lib/glance-appliance")


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that a session needs to know. `source` says where it comes from, for sentences about what is wrong."""

    auth: Mapping[str, str]
    source: str
    auth_type: str = ""
    region: str = ""
    interface: str = "public"
    image_url: str = ""
    verify: bool = True
    cacert: str | None = None


def find(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Credentials:
    """The credentials of this call; `flags` win over whatever else is chosen.

    Tried in turn: the cloud that is named, the data directory that is named, the `OS_*` variables, the only cloud of
    the first `clouds.yaml`, and the data directories where an appliance of this machine would be.
    """
    environment = os.environ if environment is None else environment
    given = {name: str(flags[f"os_{name}"]) for name in (*AUTH, *OTHER) if flags.get(f"os_{name}")}
    cloud, source = _chosen(flags, environment, given)
    auth = {_OF_OLD.get(str(key), str(key)): str(value) for key, value in (cloud.get("auth") or {}).items() if value}
    auth.update({name: value for name, value in given.items() if name in AUTH})
    settings = {**cloud, **{name: value for name, value in given.items() if name in OTHER}}
    if not auth.get("auth_url"):
        raise Fatal(f"{source} does not say where the identity service is: auth_url is missing")
    insecure = flags.get("insecure") or settings.get("verify") in (False, "false", "False")
    return Credentials(
        auth=auth,
        source=source,
        auth_type=str(settings.get("auth_type") or ""),
        region=str(settings.get("region_name") or ""),
        interface=str(settings.get("interface") or "public").removesuffix("URL"),
        image_url=str(settings.get("image_endpoint_override") or ""),
        verify=not insecure,
        cacert=settings.get("cacert") or None,
    )


def _chosen(
    flags: Mapping[str, Any], environment: Mapping[str, str], given: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """The cloud to use, in the shape of `clouds.yaml`, and what to call it."""
    data_dir = flags.get("data_dir")
    name = flags.get("os_cloud") or ("" if data_dir else environment.get("OS_CLOUD"))
    if data_dir:
        return _cloud(Path(data_dir) / "clouds.yaml", name or "appliance")
    if name:
        return _cloud(_file(environment), name)
    variables = _from_environment(environment)
    if given.get("auth_url"):
        return variables, "the command line"
    if variables["auth"].get("auth_url"):
        return variables, "the environment"
    file = _file(environment)
    if file is not None:
        clouds = _clouds(file)
        if len(clouds) == 1:
            return _cloud(file, next(iter(clouds)))
        raise WrongUsage(f"say which cloud of {file} you mean, with --os-cloud or OS_CLOUD: {', '.join(clouds)}")
    for directory in (environment.get("APPLIANCE_DATA_DIR", "var"), _INSTALLED):
        candidate = Path(directory) / "clouds.yaml"
        if os.access(candidate, os.R_OK):
            return _cloud(candidate, "appliance")
    raise Fatal(
        "there are no credentials: source a data directory's admin-openrc, or name the directory with --data-dir, "
        "or a cloud with --os-cloud"
    )


def cloud_names(environment: Mapping[str, str] | None = None) -> list[str]:
    """The clouds of the first `clouds.yaml`."""
    file = _file(os.environ if environment is None else environment)
    return list(_clouds(file)) if file else []


def data_directories(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> list[Path]:
    """Where the data directory of the appliance that is asked may be, if it is on this machine."""
    environment = os.environ if environment is None else environment
    named = flags.get("data_dir")
    if named:
        return [Path(named)]
    file = environment.get("OS_CLIENT_CONFIG_FILE")
    candidates = [Path(file).parent] if file else []
    candidates += [Path(environment.get("APPLIANCE_DATA_DIR", "var")), _INSTALLED]
    return [path for path in candidates if os.access(path / "clouds.yaml", os.R_OK)]


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    known = {
        name: environment[f"OS_{name.upper()}"] for name in (*AUTH, *OTHER) if environment.get(f"OS_{name.upper()}")
    }
    for old, new in _OF_OLD.items():
        if environment.get(f"OS_{old.upper()}"):
            known.setdefault(new, environment[f"OS_{old.upper()}"])
    return {
        "auth": {name: value for name, value in known.items() if name in AUTH},
        **{name: value for name, value in known.items() if name in OTHER},
    }


def _file(environment: Mapping[str, str]) -> Path | None:
    """The first `clouds.yaml` in openstacksdk's order."""
    named = environment.get("OS_CLIENT_CONFIG_FILE")
    if named:
        return Path(named)
    home = Path(environment.get("HOME") or "/")
    settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    places = (Path("."), settings / "openstack", home / ".config/openstack", Path("/etc/openstack"))
    candidates = (place / f"clouds.{ending}" for place in places for ending in ("yaml", "yml"))
    return next((file for file in candidates if file.is_file()), None)


def _cloud(file: Path | None, name: str) -> tuple[dict[str, Any], str]:
    if file is None:
        raise Fatal(f"there is no clouds.yaml that could describe the cloud {name}")
    clouds = _clouds(file)
    if name not in clouds:
        raise Fatal(f"{file} describes no cloud {name}; it has {', '.join(clouds) or 'none at all'}")
    cloud = dict(clouds[name] or {})
    secret = file.with_name("secure.yaml")
    hidden = (_clouds(secret).get(name) or {}) if secret.is_file() else {}
    cloud["auth"] = {**(cloud.get("auth") or {}), **(hidden.get("auth") or {})}
    return cloud, f"the cloud {name} in {file}"


def _clouds(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fatal(f"can't read {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Fatal(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    clouds = document.get("clouds") if isinstance(document, dict) else None
    if not isinstance(clouds, dict):
        raise Fatal(f"{file} has no clouds")
    return clouds

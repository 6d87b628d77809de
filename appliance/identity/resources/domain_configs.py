"""The options that a domain's configuration may hold, with the defaults that Keystone documents for them."""

from typing import Any

from appliance.db.engine.base import Tx
from appliance.db.identity import projects as rows
from appliance.db.identity.projects import Config
from appliance.db.records import Record
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.identity.store import IdentityStore
from appliance.settings import Settings

DEFAULTS: Config = {
    "identity": {
        "driver": "sql",
        "list_limit": None,
    },
    "ldap": {
        "url": "ldap://localhost",
        "user": None,
        "suffix": "cn=example,cn=com",
        "query_scope": "one",
        "page_size": 0,
        "alias_dereferencing": "default",
        "debug_level": None,
        "chase_referrals": None,
        "user_tree_dn": None,
        "user_filter": None,
        "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "cn",
        "user_name_attribute": "sn",
        "user_mail_attribute": "mail",
        "user_description_attribute": "description",
        "user_pass_attribute": "userPassword",
        "user_enabled_attribute": "enabled",
        "user_enabled_invert": False,
        "user_enabled_mask": 0,
        "user_enabled_default": "True",
        "user_attribute_ignore": ["default_project_id"],
        "user_default_project_id_attribute": None,
        "user_enabled_emulation": False,
        "user_enabled_emulation_dn": None,
        "user_enabled_emulation_use_group_config": False,
        "user_additional_attribute_mapping": [],
        "group_tree_dn": None,
        "group_filter": None,
        "group_objectclass": "groupOfNames",
        "group_id_attribute": "cn",
        "group_name_attribute": "ou",
        "group_members_are_ids": False,
        "group_member_attribute": "member",
        "group_desc_attribute": "description",
        "group_attribute_ignore": [],
        "group_additional_attribute_mapping": [],
        "tls_cacertfile": None,
        "tls_cacertdir": None,
        "use_tls": False,
        "tls_req_cert": "demand",
        "use_pool": True,
        "pool_size": 10,
        "pool_retry_max": 3,
        "pool_retry_delay": 0.1,
        "pool_connection_timeout": -1,
        "pool_connection_lifetime": 600,
        "use_auth_pool": True,
        "auth_pool_size": 100,
        "auth_pool_connection_lifetime": 60,
    },
}

READABLE: dict[str, frozenset[str]] = {group: frozenset(options) for group, options in DEFAULTS.items()}

SENSITIVE: dict[str, frozenset[str]] = {"identity": frozenset(), "ldap": frozenset({"password"})}
"""What can be set but is never shown."""


class DomainConfigs:
    """The options of each domain. The caller has looked the domain up."""

    def __init__(self, store: IdentityStore, settings: Settings) -> None:
        self._store = store
        self._compliance: dict[str, Any] = {
            "password_regex": settings.password_regex or None,
            "password_regex_description": settings.password_regex_description or None,
        }

    def get(self, domain_id: str, group: str | None = None, option: str | None = None) -> Record:
        """All groups, one group under its name, or one option under its name; never a secret."""
        check_supported(group, option)
        config = _public(rows.config_of(self._store.db, domain_id))
        found = _part(config, group, option)
        if not found:
            raise _missing(domain_id, group, option)
        return found

    def exists(self, domain_id: str) -> bool:
        return bool(rows.config_of(self._store.db, domain_id))

    def replace(self, domain_id: str, config: Any) -> Record:
        checked = _checked(config)

        def change(tx: Tx) -> None:
            rows.remove(tx, domain_id)
            rows.put(tx, domain_id, checked)

        self._store.transact(change)
        return _public(rows.config_of(self._store.db, domain_id))

    def update(self, domain_id: str, config: Any, group: str | None = None, option: str | None = None) -> Record:
        """Change what `config` names; with a group or option, only that. Gives the whole configuration."""
        if group is not None and option is not None:
            config = {group: config}
        checked = _checked(config)
        check_supported(group, option)
        if group is not None:
            _check_only(checked, group, option)
            if not _part(rows.config_of(self._store.db, domain_id), group, option):
                raise _missing(domain_id, group, option)
        self._store.transact(lambda tx: rows.put(tx, domain_id, checked))
        return self.get(domain_id)

    def delete(self, domain_id: str, group: str | None = None, option: str | None = None) -> None:
        check_supported(group, option)
        if group is not None and not _part(rows.config_of(self._store.db, domain_id), group, option):
            raise _missing(domain_id, group, option)
        self._store.transact(lambda tx: rows.remove(tx, domain_id, group, option))

    def security_compliance(self, is_default: bool, option: str | None = None) -> Record:
        """The rule on passwords, which anyone may read: it is the same for all and told of the default domain."""
        if not is_default:
            raise _refused("security compliance can only be read for the default domain")
        if option is None:
            return {"security_compliance": self._compliance}
        if option not in self._compliance:
            raise _refused(f"of security compliance only {' and '.join(self._compliance)} can be read")
        return {option: self._compliance[option]}


def default(group: str | None = None, option: str | None = None) -> Record:
    """What holds where a domain configures nothing."""
    check_supported(group, option)
    if option is not None and group is not None and option in SENSITIVE[group]:
        raise _refused(f"the default of option {option} in group {group} can't be read")
    return _part(DEFAULTS, group, option)


def _part(config: Config, group: str | None, option: str | None) -> Record:
    if group is None:
        return config
    if group not in config:
        return {}
    if option is None:
        return {group: config[group]}
    return {option: config[group][option]} if option in config[group] else {}


def _public(config: Config) -> Config:
    shown = {
        group: {option: value for option, value in options.items() if option not in SENSITIVE[group]}
        for group, options in config.items()
    }
    return {group: options for group, options in shown.items() if options}


def _checked(config: Any) -> Config:
    if not config:
        raise _refused("no options were given")
    if not isinstance(config, dict):
        raise Invalid("Expecting to find an object in config.")
    for group, options in config.items():
        if not isinstance(options, dict) or not options:
            raise _refused(f"the value of group {group} should be an object of options")
        for option in options:
            check_supported(group, option)
    return config


def check_supported(group: str | None, option: str | None) -> None:
    if group is None:
        return
    if group not in READABLE:
        raise _refused(f"group {group} is not supported for domains")
    if option is not None and option not in READABLE[group] and option not in SENSITIVE[group]:
        raise _refused(f"option {option} in group {group} is not supported for domains")


def _check_only(config: Config, group: str, option: str | None) -> None:
    """A request for one group or option may hold nothing else."""
    if set(config) != {group} or (option is not None and set(config[group]) != {option}):
        raise _refused(f"only {group if option is None else f'{option} in {group}'} can be changed at this address")


def _refused(reason: str) -> Forbidden:
    return Forbidden(f"Invalid domain specific configuration: {reason}.")


def _missing(domain_id: str, group: str | None, option: str | None) -> NotFound:
    what = f"group {group}" if group is not None else "any options"
    if option is not None:
        what = f"option {option} in group {group}"
    return NotFound(f"Could not find {what} in domain configuration for domain {domain_id}.")

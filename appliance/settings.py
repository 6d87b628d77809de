"""Every setting of the appliance: its name, type, default and meaning.

Each is a flag (`--image-port`), an environment variable (`APPLIANCE_IMAGE_PORT`) and a key of `appliance.toml`
(`image_port`).
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from appliance.values import GIB, KIB, MIB, TIB

ENVIRONMENT_PREFIX = "APPLIANCE_"


def _setting(default: Any, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values that one appliance runs with. Sizes are bytes and times are seconds unless the meaning says more."""

    # -- where it lives and listens
    data_dir: Path = _setting(Path("var"), "directory that holds everything; made at the first start")
    database: str = _setting(
        "", "where the rows are: a file in the data directory, or on a server, as in postgresql://USER@HOST/NAME"
    )
    database_file: str = _setting("", "file that holds that URL, which may have a password in it")
    site_key_file: str = _setting("", "file with the key that all appliances on one database share; none: it is alone")
    node_name: str = _setting("", "name of this appliance among them; the machine's unless set")
    node_lease: int = _setting(15, "seconds after which the others take over what one of them did that is not heard of")
    host: str = _setting("127.0.0.1", "address to listen on; nothing but loopback unless you say so")
    image_port: int = _setting(9292, "port of the image service; 0 picks a free one")
    identity_port: int = _setting(5000, "port of the identity service; 0 picks a free one")
    legacy: bool = _setting(False, "serve Image API v1 and Identity API v2.0 too, for clients of 2013")
    legacy_admin_port: int = _setting(
        35357, "port of the admin's half of Identity API v2.0, with --legacy; 0 picks one"
    )
    admin_token: str = _setting("", "bootstrap token: whoever has it is an admin for Identity API v2.0; else none")
    admin_token_file: str = _setting("", "file that holds the bootstrap token")
    admin_token_networks: tuple[str, ...] = _setting(
        ("127.0.0.0/8", "::1"), "addresses or networks that the bootstrap token is good from"
    )
    tls_cert: str = _setting(
        "",
        "PEM file with the certificate that every port serves HTTPS with, and those up to its authority; `self` makes "
        "an authority and a certificate in the data directory; plain HTTP unless set",
    )
    tls_key: str = _setting("", "PEM file with the key of that certificate; in the same file unless set")
    tls_ca: str = _setting(
        "", "PEM file with its authority, for clouds.yaml and openrc; clients ask their own system's unless set"
    )
    insecure_http: bool = _setting(False, "don't warn that plain HTTP can be reached from other machines")
    single_port: bool = _setting(False, "serve /image and /identity on the image port, for use behind a proxy")
    trusted_proxies: tuple[str, ...] = _setting((), "addresses or networks whose X-Forwarded-* headers are trusted")
    proxy_protocol: str = _setting(
        "off",
        "PROXY protocol on connections of trusted_proxies: off, accept, or require, which refuses those without, but "
        "for those from this machine itself",
    )
    socket_dir: str = _setting(
        "",
        "directory in which each port's service listens on a Unix socket, too, for a proxy on this machine: image.sock "
        "and so on; whoever may use them is a trusted proxy",
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")
    log_format: str = _setting("text", "text, or json: an object a line")
    log_file: str = _setting("", "file to append the log to, opened anew on SIGHUP; standard error unless set")
    console: bool = _setting(True, "serve the console, a page for browsers, at /console on the image port")
    audit_days: int = _setting(90, "days that the audit trail is kept in the database; 0 is no audit trail")
    audit_log: str = _setting("", "file that gets each event of the audit trail as a line of JSON too, or `syslog`")
    metrics_port: int = _setting(-1, "port that serves /metrics for Prometheus; 0 picks a free one, negative is none")
    metrics_token: str = _setting("", "token that whoever reads /metrics has to show; none unless set")
    metrics_token_file: str = _setting("", "file that holds that token")

    # -- first start
    admin_password: str = _setting("", "password of the first administrator; random, and printed once, unless set")
    admin_password_file: str = _setting("", "file that holds that password")
    region: str = _setting("RegionOne", "region of the catalog made at the first start")
    sample_images: str = _setting(
        "",
        "directory with sample images to register as public ones at the first start; unless set, those that the "
        "executable has inside, if any, and with none not even those",
    )
    public_image_url: str = _setting("", "fixed image address for the catalog; else the one that the client used")
    public_identity_url: str = _setting("", "fixed identity address for the catalog; else the one that the client used")

    # -- transport
    worker_threads: int = _setting(8, "threads for requests that move no image data")
    transfer_threads: int = _setting(64, "uploads that may run at once; more wait")
    transfers_per_caller: int = _setting(
        0, "uploads that one user, and one project, may run at once; 0 is a quarter of transfer_threads"
    )
    transfers_per_address: int = _setting(
        0, "uploads that may run at once from one address; 0 is half of transfer_threads"
    )
    max_connections: int = _setting(
        1000, "open connections; for one more the idlest is closed, of the address that has most; a port may have 4/5"
    )
    connections_per_address: int = _setting(
        0, "open connections of one address, trusted_proxies excepted; 0 is a quarter of max_connections"
    )
    receive_timeout: int = _setting(30, "seconds that a request without image data may take to arrive")
    minimum_upload_rate: int = _setting(
        512, "bytes a second that an upload must send, counted over request_timeout of waiting for it; 0 is no minimum"
    )
    upload_timeout: int = _setting(604800, "seconds that one upload may take to arrive; 0 is no limit")
    request_timeout: int = _setting(60, "seconds that a client may stall before its request is dropped")
    shutdown_grace: int = _setting(30, "seconds that running requests get to end when the service stops")

    # -- identity
    token_lifetime: int = _setting(3600, "seconds that a token is valid")
    allow_expired_window: int = _setting(172800, "seconds past its end that a service may still look a token up")
    auth_methods: tuple[str, ...] = _setting(
        ("password", "token", "application_credential", "oauth1", "ec2credential", "mapped"),
        "methods by which users may log in, as Keystone's `[auth] methods`; `totp` is off unless it is listed",
    )
    oauth1_request_token_lifetime: int = _setting(28800, "seconds that an OAuth 1.0a request token waits; 0: for ever")
    oauth1_access_token_lifetime: int = _setting(86400, "seconds that an access token is good; 0 is for ever")
    openid_options: tuple[str, ...] = _setting(
        (),
        "OpenID providers whose tokens users may log in with, each as idp:option=value; the options are issuer, "
        "audience, clients, algorithms, keys (a file, or an address) and leeway",
    )
    default_authorization_ttl: int = _setting(
        0, "minutes that the groups of a log-in by an identity provider outlive it, unless that says; 0 is not at all"
    )
    totp_alone: bool = _setting(False, "a TOTP passcode alone is a full log-in; else another method must be shown too")
    receipt_lifetime: int = _setting(300, "seconds to show what is missing in a multi-factor authentication")
    max_password_length: int = _setting(4096, "bytes of a password at most")
    failed_logins: int = _setting(
        10, "wrong secrets an hour, for one account from one address, before the next one has to wait"
    )
    failed_logins_account: int = _setting(
        300, "the same for one account, from all addresses that it has not logged in from since the start"
    )
    failed_logins_address: int = _setting(
        300, "the same from one address, for all accounts that have not logged in from it since the start"
    )
    failed_logins_delay: int = _setting(60, "seconds of that wait at the most; it begins with one and doubles")
    password_threads: int = _setting(
        0, "passwords that are checked at once, in 64 MiB each; 0 is one for each processor, and at most 4"
    )
    password_queue: int = _setting(128, "requests that may wait for that; what comes on top is answered 429")
    lockout_failure_attempts: int = _setting(0, "wrong passwords in a row that lock a user out; 0 is never")
    lockout_duration: int = _setting(1800, "seconds that a user stays locked out")
    disable_user_account_days_inactive: int = _setting(0, "days without log-in that disable a user; 0 is never")
    password_expires_days: int = _setting(0, "days that a password is valid; 0 is for ever")
    unique_last_password_count: int = _setting(0, "last passwords that a user may not choose again; 0 is none")
    minimum_password_age: int = _setting(0, "days before a user may change a password again")
    password_regex: str = _setting("", "regular expression that new passwords must match; empty is no rule")
    password_regex_description: str = _setting("", "the same rule in words, for whoever breaks it")
    change_password_upon_first_use: bool = _setting(False, "a password that an admin gave must be changed before use")
    max_project_tree_depth: int = _setting(5, "levels of projects under a domain")
    identity_list_limit: int = _setting(0, "identity resources on a page unless the client says; 0 is all of them")
    max_db_limit: int = _setting(1000, "identity resources on a page at the most, where a client asks for pages")
    user_credential_limit: int = _setting(-1, "application credentials of a user; negative is no limit")
    max_redelegation_count: int = _setting(3, "times that a trust may be handed on")
    identity_mode: str = _setting("own", "own, external (tokens of a Keystone) or edge (a copy of a Keystone's state)")
    external_auth_url: str = _setting("", "address of that Keystone")
    external_username: str = _setting("", "service user that may validate tokens there, or read everything for edge")
    external_password: str = _setting("", "password of the service user")
    external_password_file: str = _setting("", "file that holds the password of the service user")
    external_user_domain: str = _setting("Default", "name of the domain of the service user")
    external_project: str = _setting("service", "project of the service user; empty to act on the system")
    external_project_domain: str = _setting("Default", "name of the domain of that project")
    external_cache_seconds: int = _setting(300, "seconds that what the Keystone said of a token is trusted")
    external_outage_seconds: int = _setting(0, "seconds more that it is trusted while the Keystone can't be reached")
    edge_sync_seconds: int = _setting(60, "seconds between two copies of a Keystone's state")
    edge_max_age: int = _setting(
        86400, "seconds after which tokens are refused when the last copy is older; 0 is never"
    )

    # -- images
    image_size_cap: int = _setting(TIB, "largest image, in bytes; sizes take a suffix: 10G, 512M")
    user_storage_quota: int = _setting(0, "bytes that one project may store, metadata included; 0 is no limit")
    image_metadata_quota: int = _setting(
        1048576, "characters of properties, tags and location metadata of an image; negative is no limit"
    )
    use_keystone_limits: bool = _setting(
        False, "enforce the limits that the identity service has for projects, in place of user_storage_quota"
    )
    disk_formats: tuple[str, ...] = _setting(
        ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"), "disk formats accepted"
    )
    container_formats: tuple[str, ...] = _setting(
        ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"), "container formats accepted"
    )
    hashing_algorithm: str = _setting("sha512", "algorithm of os_hash_value")
    require_image_format_match: bool = _setting(True, "refuse data that is not of the declared disk format")
    gpt_safety_checks_nonfatal: tuple[str, ...] = _setting((), "safety checks that a partition table may fail")
    enabled_import_methods: tuple[str, ...] = _setting(
        ("glance-direct", "web-download", "copy-image"),
        "ways to import image data: glance-direct, web-download, copy-image, glance-download",
    )
    import_allowed_schemes: tuple[str, ...] = _setting(("http", "https"), "URI schemes that may be imported from")
    import_disallowed_schemes: tuple[str, ...] = _setting((), "URI schemes refused, if none are named as allowed")
    import_allowed_hosts: tuple[str, ...] = _setting(
        (),
        "hosts that may be imported from; only these may be this host, link-local or a cloud's metadata service; none "
        "named is any other",
    )
    import_disallowed_hosts: tuple[str, ...] = _setting((), "hosts refused, if none are named as allowed")
    import_allowed_ports: tuple[str, ...] = _setting(("80", "443"), "ports that may be imported from")
    import_disallowed_ports: tuple[str, ...] = _setting((), "ports refused, if none are named as allowed")
    import_timeout: int = _setting(60, "seconds that a server imported from may stall, or take to begin its answer")
    import_minimum_rate: int = _setting(
        16 * KIB, "bytes a second that it has to send on the average of import_timeout; 0 is no limit"
    )
    import_deadline: int = _setting(24 * 3600, "seconds that it may take in all; 0 is no limit")
    import_threads: int = _setting(4, "imports that run at once, all but one of one project at the most; more wait")
    max_parallel_stores: int = _setting(
        1, "stores that one import fills at once, after the first; 1 is one after the other, as copies always are"
    )
    image_import_plugins: tuple[str, ...] = _setting(
        (), "what imports go through: image_decompression, image_conversion, inject_image_metadata"
    )
    image_conversion_output_format: str = _setting("raw", "disk format that image_conversion makes: raw, qcow2 or vmdk")
    image_conversion_timeout: int = _setting(3600, "seconds that a conversion may take")
    import_workspace_size: int = _setting(
        0, "bytes that the files of all imports under way may take; never more than half of the free space; 0 is that"
    )
    inject_properties: tuple[str, ...] = _setting((), "properties that inject_image_metadata sets, as name:value")
    inject_ignore_user_roles: tuple[str, ...] = _setting(("admin",), "roles whose imports get no injected properties")
    task_time_to_live: int = _setting(48, "hours that a finished task is kept")
    property_protection_file: str = _setting("", "INI file that says which roles may do what to which properties")
    property_protection_rule_format: str = _setting("roles", "what that file names: roles, or policies")
    policy_file: str = _setting("", "YAML or JSON file of the image service's policies; read again when it changes")
    identity_policy_file: str = _setting("", "the same for the identity service")
    delayed_delete: bool = _setting(False, "keep the data of deleted images for scrub_time")
    scrub_time: int = _setting(0, "seconds between a delayed delete and the end of the data")
    wakeup_time: int = _setting(300, "seconds between two looks for images whose delete was delayed")
    show_multiple_locations: bool = _setting(False, "show, and let clients change, where an image's data is")
    do_secure_hash: bool = _setting(True, "read and hash what a new location leads to, in the background")
    show_image_direct_url: bool = _setting(False, "show the address of an image's data as direct_url")
    enabled_backends: tuple[str, ...] = _setting(
        (),
        "several stores, as id:file, id:file:DIRECTORY, id:s3://BUCKET, id:swift://CONTAINER, id:rados://POOL (/PREFIX "
        "may follow) or id:http; none is a single one that no client is told of",
    )
    store_url: str = _setting(
        "",
        "where the single store's data is, as s3://BUCKET, swift://CONTAINER or rados://POOL (/PREFIX may follow); in "
        "the data directory unless set",
    )
    store_options: tuple[str, ...] = _setting(
        (), "how remote stores are reached, each as id:option=value; the single store's id is main"
    )
    default_backend: str = _setting("", "store that takes what names no store; the first one unless set")
    store_weights: tuple[str, ...] = _setting((), "weights of stores, as id:number; data is read from the heaviest")
    store_descriptions: tuple[str, ...] = _setting((), "descriptions of stores, as id:text")
    image_cache_dir: str = _setting("", "directory of the image cache; without one there is no cache")
    image_cache_max_size: int = _setting(10 * GIB, "bytes that the files of the image cache may take")
    image_cache_stall_time: int = _setting(86400, "seconds after which an unfinished file of the cache is removed")
    image_cache_driver: str = _setting("centralized_db", "any other name switches the list of cache nodes off")
    worker_self_reference_url: str = _setting(
        "", "name of this node in the cache and its list of nodes; the address that the client used unless set"
    )
    cache_prefetcher_interval: int = _setting(300, "seconds between two looks at the cache and its queue")
    signature_certificates_dir: str = _setting(
        "", "directory of the certificates of signed images, each a file whose name is the certificate's UUID"
    )
    disable_by_file_path: str = _setting("", "while this file exists, /healthcheck says 503 DISABLED BY FILE")
    limit_param_default: int = _setting(25, "images on a page when the client sets no limit")
    api_limit_max: int = _setting(1000, "images on a page at the most")
    image_member_quota: int = _setting(128, "members of an image; negative is no limit")
    image_property_quota: int = _setting(128, "extra properties of an image; negative is no limit")
    image_tag_quota: int = _setting(128, "tags of an image; negative is no limit")
    image_location_quota: int = _setting(10, "locations of an image; negative is no limit")
    cors_allowed_origins: tuple[str, ...] = _setting(
        (), "origins whose pages may call the image and the identity service; * is any"
    )

    # -- store
    dedup_scope: str = _setting(
        "project",
        "whose stored blocks an upload reuses at once: project, its own alone, or all, which tells by its speed "
        "what other projects have stored",
    )
    fold_duplicates: bool = _setting(True, "store equal blocks of different projects once, in the background")
    disk_reserve: int = _setting(
        32 * MIB,
        "bytes of the disk that only deleting, revoking, logging in and collecting may use; 0 keeps none",
    )
    collect_grace: int = _setting(3600, "seconds between a block's last use and the return of its space")
    recompress_after: int = _setting(
        0,
        "days after which data that nobody has read is compressed anew, with zstd: a quarter less on disk for more "
        "processor time when it is read; 0 is never",
    )
    collect_interval: int = _setting(300, "seconds between two collections of unused blocks; 0 is never")
    recheck_seconds: int = _setting(
        300, "seconds after its check for which a run of stored bytes is sent without another; 0 checks it each time"
    )
    scrub_interval_days: int = _setting(30, "days within which every stored byte is read and checked; 0 is never")
    scrub_rate: int = _setting(16 * MIB, "bytes a second that the scrub reads at the most")

    @property
    def keystone_url(self) -> str:
        """The address of the Keystone whose tokens are taken in the modes external and edge, without a version."""
        return self.external_auth_url.rstrip("/").removesuffix("/v3")


FIELDS: dict[str, dataclasses.Field[Any]] = {field.name: field for field in dataclasses.fields(Settings)}
_SECTIONS = {
    "data_dir": "Address and data",
    "admin_password": "First start",
    "worker_threads": "Connections and transfers",
    "token_lifetime": "Tokens and log-in",
    "identity_mode": "With another Keystone",
    "image_size_cap": "Images",
    "enabled_import_methods": "Imports",
    "task_time_to_live": "Image service",
    "enabled_backends": "Stores",
    "image_cache_dir": "Cache",
    "signature_certificates_dir": "Signatures, pages and quotas",
    "dedup_scope": "Space on disk",
}
"""The sections of the settings, each by the first one that is in it."""
SECRETS = ("database", "admin_password", "admin_token", "external_password", "metrics_token")
"""The settings that nobody else may read. For each there is another, `…_file`, that names a file with it."""
TYPES = get_type_hints(Settings)


def sections() -> dict[str, list[str]]:
    """The settings by their section, in order."""
    found: dict[str, list[str]] = {}
    for name in FIELDS:
        title = _SECTIONS.get(name) or next(reversed(found))
        found.setdefault(title, []).append(name)
    return found


def flag(name: str) -> str:
    """`image_port` → `--image-port`."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """`image_port` → `APPLIANCE_IMAGE_PORT`."""
    return ENVIRONMENT_PREFIX + name.upper()


VARIABLES = frozenset({f"{ENVIRONMENT_PREFIX}CONFIG", *map(variable, FIELDS)})
"""Every variable of the environment that means something."""


def describe(name: str) -> tuple[str, str, str, str]:
    """A setting's flag, variable, default and meaning, for people."""
    field = FIELDS[name]
    default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    return flag(name), variable(name), default, field.metadata["meaning"]


def is_switch(name: str) -> bool:
    """Whether the setting is on or off, so that its flag needs no value."""
    return TYPES[name] is bool

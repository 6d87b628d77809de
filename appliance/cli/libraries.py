"""The compiled libraries that the program uses, and their versions; apart, since asking them loads the server's half.

Outgoing connections use `openssl`; tokens, passwords and signatures use `openssl-cryptography`.
"""

import platform
import ssl
import zlib

from cryptography.hazmat.backends.openssl import backend

from appliance.db.engine.sqlite import SQLITE_VERSION

LIBRARIES = {
    "openssl": ssl.OPENSSL_VERSION.split()[1],
    "openssl-cryptography": backend.openssl_version_text().split()[1],
    "sqlite": SQLITE_VERSION,
    "zlib": zlib.ZLIB_RUNTIME_VERSION,
    "glibc": platform.libc_ver()[1] or "none",
}

"""The compiled libraries that the program uses, which is how far a security repair has to reach."""

import platform
import ssl
import zlib

from cryptography.hazmat.backends.openssl import backend

from appliance.db.database import SQLITE_VERSION

LIBRARIES = {
    "openssl": ssl.OPENSSL_VERSION.split()[1],
    "openssl-cryptography": backend.openssl_version_text().split()[1],
    "sqlite": SQLITE_VERSION,
    "zlib": zlib.ZLIB_RUNTIME_VERSION,
    "glibc": platform.libc_ver()[1] or "none",
}
"""Each with its version. Outgoing connections use the first OpenSSL; tokens, passwords and signatures the second."""

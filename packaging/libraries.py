"""What the inventory knows of libraries and packages that do not say it themselves."""

APACHE = "Apache-2.0"
BUILT_INTO = {"_sqlite3": "sqlite3", "zlib": "zlib", "_lzma": "xz-utils", "pyexpat": "expat", "_decimal": "libmpdec"}
"""Modules of Python, and the library that is linked into each, if none is packed beside it."""
BUNDLED = {
    "cffi": ("libffi",),
    "lz4": ("lz4-library",),
    "PyYAML": ("libyaml",),
    "zstandard": ("zstd",),
    "psycopg-binary": (
        "cyrus-sasl", "keyutils", "krb5", "libcom_err", "libpq", "libxcrypt", "openldap", "openssl-psycopg",
    ),
}  # fmt: skip
"""Packages whose compiled modules have a library inside, or bring it along."""
TEXT_OF = {"lz4-library": "lz4"}
SAID_INSIDE = {
    "cyrus-sasl": ("libsasl2", rb"\0(2\.1\.\d+)\0"),
    "keyutils": ("libkeyutils", rb"keyutils-([\d.]+)\0"),
    "krb5": ("libkrb5-", rb"KRB5_BRAND: krb5-([\d.]+)"),
    "openssl-psycopg": ("libcrypto", rb"OpenSSL ([\d.]+) "),
}
"""Libraries that a package brings along, and where such a file says its version."""
ASKED = {
    "expat": ("pyexpat", "EXPAT_VERSION"),
    "libmpdec": ("decimal", "__libmpdec_version__"),
    "libpq": ("psycopg.pq", "version"),
    "libyaml": ("yaml._yaml", "get_version_string"),
    "lz4-library": ("lz4", "library_version_string"),
    "zstd": ("zstandard", "ZSTD_VERSION"),
}
"""Where the modules that have a library inside say its version."""
LICENCES = {
    "bzip2": "bzip2-1.0.6",
    "cyrus-sasl": "BSD-4-Clause",
    "expat": "MIT",
    "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "keyutils": "LGPL-2.0-or-later",
    "krb5": "MIT",
    "libcom_err": "MIT",
    "libffi": "MIT",
    "libmpdec": "BSD-2-Clause",
    "libpq": "PostgreSQL",
    "libxcrypt": "LGPL-2.1-or-later",
    "libyaml": "MIT",
    "lz4": "BSD-3-Clause",
    "lz4-library": "BSD-2-Clause",
    "obstore": "MIT",
    "openldap": "OLDAP-2.8",
    "openssl": "Apache-2.0",
    "openssl-psycopg": "Apache-2.0",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    # Of it nothing but what runs in the executable is packed.
    "pyinstaller-hooks-contrib": "Apache-2.0",
    "sqlite-fts4": "Apache-2.0",
    "sqlite3": "blessing",
    "util-linux": "BSD-3-Clause",
    "waitress": "ZPL-2.1",
    "xz-utils": "0BSD",
    "zlib": "Zlib",
    "zstd": "BSD-3-Clause",
}
"""SPDX identifiers: of libraries by the name of Debian's source package, and of packages that say it otherwise."""
COMPILING_ONLY = frozenset((
    "asn1_derive", "cc", "find-msvc-tools", "heck", "openssl-macros", "pkg-config", "proc-macro2", "pyo3-build-config",
    "pyo3-macros", "pyo3-macros-backend", "quote", "shlex", "syn", "target-lexicon", "unicode-ident", "vcpkg",
))  # fmt: skip
"""Rust packages that are at work while others are compiled, and leave nothing behind."""
BESIDE = ("pkg:pypi", "pkg:rpm")
"""Kinds that auditwheel lists: of files that a wheel has beside its modules, which `BUNDLED` names."""

"""Modules that stay out of the executable although something in it mentions them.

Nothing of the appliance may import one of them, which a test sees to, and no library may need one for what the
appliance asks of it.
"""

TOOLS = (
    "_pytest", "cProfile", "doctest", "ensurepip", "idlelib", "lib2to3", "pdb", "pip", "profile", "pstats", "pydoc",
    "pydoc_data", "pytest", "setuptools", "tkinter", "turtle", "turtledemo", "unittest", "webbrowser", "wheel",
)  # fmt: skip
"""For developers and desktops."""

TERMINALS = ("_curses", "curses", "readline")
"""GNU readline comes under the GPL, and the command line reads no lines that one would edit."""

MENTIONED = ("_multiprocessing", "multiprocessing", "pyparsing", "xmlrpc", "_uuid")
"""Other ways of bottle and concurrent.futures to run, a checker of Nova's, and addresses of network cards for UUIDs."""

CODECS = (
    "_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw", "_multibytecodec",
)  # fmt: skip
"""Encodings of East Asian locales; the executable speaks UTF-8 in every locale."""

OTHER_FORMS = ("zstandard._cffi", "zstandard.backend_cffi")
"""zstd once more, for Pythons that are not CPython."""

EXCLUDED = [*TOOLS, *TERMINALS, *MENTIONED, *CODECS, *OTHER_FORMS]

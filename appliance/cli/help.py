"""`help`: the essentials of the documentation, from within the program."""

import argparse
import sys
from importlib.resources import files

from appliance.cli.flags import describe
from appliance.cli.verbs import PROGRAM, VERBS, build_parser
from appliance.errors import WrongUsage
from appliance.settings import FIELDS

TOPICS = {
    "first-steps": "from nothing to the first image",
    "credentials": "how the client finds out whom to ask, and as whom",
    "settings": "every setting, its default and its meaning",
    "backups": "keeping a copy of the data directory",
    "security": "passwords, addresses, TLS, and what the service may do",
    "troubleshooting": "what went wrong, and what to do",
}
"""Each topic with its line in the list. All but `settings` are files in `topics/`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC", nargs="*", help="a topic, or a verb with its subverb; none lists all")


def run(arguments: argparse.Namespace) -> int:
    words: list[str] = arguments.topic
    if not words:
        _list()
    elif words[0] in VERBS:
        build_parser(words[:1]).parse_args([*words, "--help"])
    elif words[0] in TOPICS and len(words) == 1:
        sys.stdout.write(text_of(words[0]))
    else:
        raise WrongUsage(f"there is no help on {' '.join(words)}; `{PROGRAM} help` lists the topics")
    return 0


def text_of(topic: str) -> str:
    """A topic's text."""
    if topic == "settings":
        return _settings()
    return (files("appliance.cli") / "topics" / f"{topic}.md").read_text(encoding="utf-8")


def _list() -> None:
    for title, entries in (("Topics", TOPICS), ("Verbs", VERBS)):
        print(f"{title}:")
        for name, line in entries.items():
            print(f"  {name:16} {line}")
        print()
    print(f"`{PROGRAM} help TOPIC` explains one.")


def _settings() -> str:
    parts = [_SETTINGS]
    for name in FIELDS:
        flag, variable, default, meaning = describe(name)
        parts.append(f"{flag}  {variable}  {name}\n    {meaning}\n    default: {default or 'none'}\n")
    return "\n".join(parts)


_SETTINGS = """\
# Settings

Each setting is a flag of `serve`, a variable of the environment, and a key of `appliance.toml` in the data directory
(`--config FILE` names another). Flags win over variables, and those over the file. Sizes take a suffix: 512M, 10G.
"""

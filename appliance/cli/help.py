"""`help`: the essentials of the documentation, from within the program."""

import sys
from importlib.resources import files

import click

from appliance.cli.commands import PROGRAM, VERBS, argument, program, verb
from appliance.errors import WrongUsage
from appliance.settings import describe, sections

TOPICS = {
    "first-steps": "from nothing to the first image",
    "credentials": "how the client finds out whom to ask, and as whom",
    "settings": "every setting, its default and its meaning",
    "backups": "keeping a copy of the data directory",
    "security": "passwords, addresses, TLS, and what the service may do",
    "troubleshooting": "what went wrong, and what to do",
}
"""Each topic with its line in the list. All but `settings` are files in `topics/`."""


def _words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [word for word in (*TOPICS, *VERBS) if word.startswith(incomplete)]


@verb()
@argument(
    "topic",
    metavar="[TOPIC]...",
    nargs=-1,
    shell_complete=_words,
    help="a topic, or a verb with its subverb; none lists all",
)
@click.pass_context
def help(ctx: click.Context, topic: tuple[str, ...]) -> int:
    if not topic:
        _list()
    elif topic[0] in VERBS:
        root = ctx.find_root()
        with program.make_context(PROGRAM, [*topic, "--help"], terminal_width=root.terminal_width) as asked:
            program.invoke(asked)
    elif topic[0] in TOPICS and len(topic) == 1:
        sys.stdout.write(text_of(topic[0]))
    else:
        raise WrongUsage(f"there is no help on {' '.join(topic)}; `{PROGRAM} help` lists the topics")
    return 0


def text_of(topic: str) -> str:
    """A topic's text."""
    if topic == "settings":
        return _settings()
    return (files("appliance.cli") / "topics" / f"{topic}.md").read_text(encoding="utf-8")


def _list() -> None:
    lines = {name: one.help for name, one in VERBS.items()}
    for title, entries in (("Topics", TOPICS), ("Verbs", lines)):
        print(f"{title}:")
        for name, line in entries.items():
            print(f"  {name:16} {line}")
        print()
    print(f"`{PROGRAM} help TOPIC` explains one.")


def _settings() -> str:
    parts = [_SETTINGS]
    for title, names in sections().items():
        parts.append(f"## {title}\n")
        for name in names:
            flag_name, variable_name, default, meaning = describe(name)
            parts.append(f"{flag_name}  {variable_name}  {name}\n    {meaning}\n    default: {default or 'none'}\n")
    return "\n".join(parts)


_SETTINGS = """\
# Settings

Each setting is a flag of `serve`, a variable of the environment, and a key of `appliance.toml` in the data directory
(`--config FILE` names another). Flags win over variables, and those over the file. Sizes take a suffix: 512M, 10G.
"""

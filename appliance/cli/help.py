"""`help` and `man`: the essentials of the documentation and the manual pages, made of the declarations of the verbs."""

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click

from appliance import __version__
from appliance.cli.commands import PROGRAM, VERBS, Command, argument, commands, option, program, verb
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


_VERB_SEPARATOR = "-"


@verb()
@argument("verbs", metavar="[VERB]...", nargs=-1, help="the verb, with its subverb [the program as a whole]")
@option("--all", "directory", metavar="DIR", type=click.Path(path_type=Path), help="write every page into this folder")
def man(verbs: tuple[str, ...], directory: Path | None) -> int:
    every = pages()
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in every.items():
            (directory / f"{name}.1").write_text(text, encoding="utf-8")
        return 0
    name = _VERB_SEPARATOR.join((PROGRAM, *verbs))
    if name not in every:
        raise WrongUsage(f"there is no page for {' '.join(verbs)}; `{PROGRAM} help` lists the verbs")
    print(every[name], end="")
    return 0


def pages() -> dict[str, str]:
    """Every page by its name: one of the program, and one of each verb that does something."""
    found = {PROGRAM: "".join(_program())}
    for path, ctx in commands():
        found[f"{PROGRAM}-{path.replace(' ', _VERB_SEPARATOR)}"] = "".join(_verb(path, ctx))
    return found


def _program() -> Iterator[str]:
    yield _head(PROGRAM)
    yield f".SH NAME\n{_plain(PROGRAM)} \\- OpenStack image service with its identity service\n"
    yield f".SH SYNOPSIS\n.B {_plain(PROGRAM)}\n\\fIVERB\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n"
    yield f".SH DESCRIPTION\n{_plain(program.help or '')}\n.PP\n{_plain(program.epilog or '')}\n.SH VERBS\n"
    for path, ctx in commands():
        name = _plain(path.replace(" ", _VERB_SEPARATOR))
        yield f".TP\n.BR {_plain(PROGRAM)}\\-{name} (1)\n{_plain(ctx.command.short_help or '')}\n"
    yield _EXIT + _FILES


def _verb(path: str, ctx: click.Context) -> Iterator[str]:
    name = f"{PROGRAM}-{path.replace(' ', _VERB_SEPARATOR)}"
    yield _head(name)
    yield f".SH NAME\n{_plain(name)} \\- {_plain(ctx.command.short_help or VERBS[path].help)}\n"
    usage = " ".join(ctx.command.collect_usage_pieces(ctx))
    yield f".SH SYNOPSIS\n.B {_plain(PROGRAM)} {_plain(path)}\n{_plain(usage)}\n"
    yield f".SH DESCRIPTION\n{_plain(ctx.command.help or '')}\n"
    arguments = [param for param in ctx.command.get_params(ctx) if isinstance(param, click.Argument)]
    for argument_ in arguments:
        term, said = argument_.get_help_record(ctx)
        yield f".TP\n\\fI{_plain(term)}\\fR\n{_plain(said)}\n"
    if isinstance(ctx.command, Command):
        for title, options in ctx.command.sections(ctx, folded=True).items():
            yield f".SH {_plain(title.upper())}\n"
            for option_ in options:
                term, said = option_.get_help_record(ctx) or ("", "")
                yield f".TP\n\\fB{_plain(term)}\\fR\n{_plain(said)}\n"
    yield _EXIT
    yield f".SH SEE ALSO\n.BR {_plain(PROGRAM)} (1)\n"


def _head(name: str) -> str:
    return f'.TH "{_plain(name.upper())}" "1" "" "{PROGRAM} {__version__}" "Glance appliance"\n.ad l\n.nh\n'


def _plain(text: str) -> str:
    """A text without anything that roff would take for a request. A long list may go on in the next line."""
    text = re.sub(r"\s+", " ", text.replace("\\", "\\e").replace("-", "\\-")).strip()
    text = re.sub(r",(?=\w)", r",\\:", text)
    return f"\\&{text}" if text[:1] in (".", "'") else text


_EXIT = """\
.SH EXIT STATUS
0 when all went well, 1 after a failure, which is one line on standard error, 2 when it was called wrongly.
"""
_FILES = """\
.SH FILES
.TP
.I clouds.yaml
whom to ask, and as whom, as for every OpenStack client
.TP
.I ~/.cache/glance\\-appliance/tokens
tokens that are kept between commands
.TP
.I /etc/glance\\-appliance/appliance.toml
settings of the installed service
"""

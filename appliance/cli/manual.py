"""`man`: manual pages, made of the same declarations as the help."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from appliance import __version__
from appliance.cli.commands import PROGRAM, VERBS, Command, argument, commands, option, program, verb
from appliance.errors import WrongUsage

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
    """A text without anything that roff would take for a request."""
    text = re.sub(r"\s+", " ", text.replace("\\", "\\e").replace("-", "\\-")).strip()
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

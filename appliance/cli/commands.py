"""The command line in click: the table of verbs, help in sections, and wrong usage in one line.

A verb's module is loaded by name when the verb is called, here alone: a client's verb must not wait for the server's
half of the program to load.
"""

import functools
import gc
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import click

from appliance import __version__
from appliance.errors import WrongUsage

PROGRAM = "glance-appliance"


class Verb(NamedTuple):
    """One verb of the program: its line of help, the module of this package that has it, and whether it is a group."""

    help: str
    module: str
    is_group: bool = False


VERBS: dict[str, Verb] = {
    "serve": Verb("serve the image and identity APIs from a data directory", "serve"),
    "init": Verb("prepare a data directory ahead of the first start", "serve"),
    "status": Verb("say whether an appliance runs on this machine, where, and how much room it has", "status"),
    "install": Verb("run the appliance as a service of this machine, from every boot on", "install"),
    "uninstall": Verb("undo install; images and settings stay", "install"),
    "backup": Verb("copy a data directory, in use or not; the next time only what is new", "backup"),
    "migrate-from": Verb(
        "bring the images and metadata definitions of a running Glance into a running appliance", "migrate_from"
    ),
    "restore": Verb("make a data directory of a backup, and read every byte of it back", "backup"),
    "export": Verb("write what the database holds, without secrets, as SQLite, CSV or JSON lines", "export"),
    "doctor": Verb("find out what does not fit in a data directory, repair it, rebuild a lost database", "doctor"),
    "store": Verb("show what the stores hold and save; collect and scrub them", "store", True),
    "peer": Verb("know other sites by their keys", "fleet", True),
    "feed": Verb("publish sets of images to other sites, and follow theirs", "fleet", True),
    "sync": Verb("show how far the feeds of other sites are; bring them up to date now", "fleet", True),
    "bundle": Verb("carry the images of a feed to another site in files, across an air gap", "bundle", True),
    "database": Verb("move all rows from one database to another", "database", True),
    "config": Verb("show the settings in force and where they come from; check them", "config", True),
    "policy": Verb("show who may do what", "policy", True),
    "events": Verb("show who has done what, and what was refused", "activity"),
    "jobs": Verb("show what runs in the background; have it run now", "activity", True),
    "node": Verb("show the nodes of an appliance that is several; drain one, forget one", "node", True),
    "uploads": Verb("show the uploads that run", "activity"),
    "identity": Verb("rotate the token keys, give the administrator a new password, try mappings", "identity", True),
    "image": Verb("create, list, change, save, import, copy, share and delete images", "image", True),
    "user": Verb("create, list, change and delete users; files that sign them in", "user", True),
    "project": Verb("create, list and delete projects", "project", True),
    "role": Verb("list, grant and revoke roles", "role", True),
    "token": Verb("issue and revoke tokens", "token", True),
    "completion": Verb("print the completion for a shell: bash, zsh or fish", "completion"),
    "help": Verb("explain a topic or a verb", "help"),
    "man": Verb("print a manual page, or write all of them into a directory", "help"),
    "version": Verb("print the version of the appliance and of its parts", "about"),
    "licenses": Verb("print the licences of all that the executable is made of", "about"),
}
"""Each verb, in the order in which they are shown."""


class Option(click.Option):
    """An option with the section of the help that it is shown in. A `folded` one is shown by `--help-…` alone."""

    def __init__(self, *args: Any, section: str = "Options", folded: bool = False, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.section = section
        self.folded = folded


class Formatter(click.HelpFormatter):
    """Help that stays readable in a narrow terminal."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, min(col_max, max(self.width // 3, 6)), col_spacing)


class Context(click.Context):
    formatter_class = Formatter


_UNFOLDED = f"{__name__}.unfolded"


class Command(click.Command):
    """A verb whose help has its options in sections."""

    context_class = Context

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = "show this help, and exit"
        return found

    def sections(self, ctx: click.Context, *, folded: bool = False) -> dict[str, list[click.Option]]:
        """Its options by section, in the order in which those first appear; the plain ones come first."""
        found: dict[str, list[click.Option]] = {"Options": []}
        for param in self.get_params(ctx):
            if not isinstance(param, click.Option) or param.hidden:
                continue
            if folded or not getattr(param, "folded", False):
                found.setdefault(getattr(param, "section", "Options"), []).append(param)
        return {title: options for title, options in found.items() if options}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, options in self.sections(ctx, folded=bool(ctx.meta.get(_UNFOLDED))).items():
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


class Group(Command, click.Group):
    """A verb that has others below it, or the program with all of its verbs."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, self.line(ctx, name)) for name in self.list_commands(ctx)])

    def line(self, ctx: click.Context, name: str) -> str:
        """The line of help of one of its verbs."""
        command = self.get_command(ctx, name)
        return command.short_help or "" if command else ""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, command in self.commands.items() if not command.hidden]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.NoSuchCommand(args[0], f"There is no verb '{args[0]}'.", self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)


class Program(Group):
    """The program: its verbs are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load(cmd_name) if cmd_name in VERBS else None

    def line(self, ctx: click.Context, name: str) -> str:
        return VERBS[name].help


@functools.cache
def load(name: str) -> click.Command:
    """The command of a verb: what its module has under the verb's name."""
    verb = VERBS[name]
    # What is loaded is there to stay: looking for garbage in it is a tenth of the start, and part of every later look.
    gc.disable()
    try:
        module = importlib.import_module(f"appliance.cli.{verb.module}")
    finally:
        gc.freeze()
        gc.enable()
    command: click.Command = getattr(module, name.replace("-", "_"))
    command.name, command.help, command.short_help = name, sentence(verb.help), verb.help
    return command


program = Program(
    PROGRAM,
    help="An OpenStack image service with its identity service, in one process.",
    epilog=f"`{PROGRAM} help first-steps` is a place to begin. --data-dir, --os-cloud and the other flags of the cloud "
    "may also come before the verb.",
    subcommand_metavar="VERB ...",
    no_args_is_help=True,
)
click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s", help="show the version, and exit")(
    program
)


def verb(name: str = "", line: str = "") -> Callable[[Callable[..., Any]], click.Command]:
    """Make a verb of a function; those of the table have their name and their line of help there."""
    return click.command(name, cls=Command, help=sentence(line), short_help=line)


def group(name: str, *members: click.Command) -> Group:
    """A verb with others below it."""
    return Group(name, commands=members, subcommand_metavar="VERB ...", no_args_is_help=True)


def commands(parent: click.Command | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Context]]:
    """Every verb that does something, as `image create`, with a context to ask it in."""
    parent = parent or program
    with parent.make_context(path[-1] if path else PROGRAM, [], resilient_parsing=True) as ctx:
        if not isinstance(parent, click.Group):
            ctx.info_name = " ".join((PROGRAM, *path))
            yield " ".join(path), ctx
            return
        for name in parent.list_commands(ctx):
            if (below := parent.get_command(ctx, name)) is not None:
                yield from commands(below, (*path, name))


def sentence(text: str) -> str:
    """A line of help as a sentence."""
    return text[:1].upper() + text[1:] + "." if text else ""


# -- what verbs are declared with

_F = TypeVar("_F", bound=Callable[..., Any])


def option(*names: str, **rest: Any) -> Callable[[_F], _F]:
    """An option of a verb."""
    return click.option(*names, cls=Option, **rest)


def switch(*names: str, **rest: Any) -> Callable[[_F], _F]:
    """An option without a value."""
    return option(*names, is_flag=True, **rest)


def argument(name: str, **rest: Any) -> Callable[[_F], _F]:
    """An argument of a verb."""
    return click.argument(name, **rest)


def folded_help(section: str) -> Callable[[_F], _F]:
    """The flag `--help-SECTION`, which shows the folded options as well."""

    def show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            ctx.meta[_UNFOLDED] = True
            click.echo(ctx.get_help())
            ctx.exit()

    return switch(
        f"--help-{section.lower()}",
        expose_value=False,
        is_eager=True,
        callback=show,
        section=section,
        help="show the other flags of this section, and exit",
    )


def collecting(into: str, names: Sequence[str], make: Callable[[dict[str, Any]], Any]) -> Callable[[_F], _F]:
    """Have the verb called with one argument, `into`, that is made of the options `names`."""

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def run(*args: Any, **given: Any) -> Any:
            collected = make({name: given.pop(name) for name in names})
            return function(*args, **given, **{into: collected})

        return cast(_F, run)

    return decorate


def exclusive(
    *names: str, required: bool = False, to: str = "", values: Mapping[str, str] | None = None
) -> Callable[[_F], _F]:
    """Let at most one of the options `names` be given; with `required` exactly one.

    With `to` the verb gets, in place of them, the name of the one that was given, or what `values` has for it.
    """

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def run(*args: Any, **given: Any) -> Any:
            chosen = [name for name in names if given[name]]
            flags = ["--" + name.replace("_", "-") for name in chosen or names]
            if len(chosen) > 1:
                raise WrongUsage(f"{' and '.join(flags)} can't be given together")
            if required and not chosen:
                raise WrongUsage(f"say {', '.join(flags[:-1])} or {flags[-1]}")
            if to:
                given = {name: value for name, value in given.items() if name not in names}
                given[to] = (values or {}).get(chosen[0], chosen[0]) if chosen else None
            return function(*args, **given)

        return cast(_F, run)

    return decorate

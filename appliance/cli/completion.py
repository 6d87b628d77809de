"""`completion`: what a shell needs to complete the command line; the program itself answers what may come next."""

import os
import sys

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete, split_arg_string

from appliance.cli.commands import PROGRAM, option, program, verb
from appliance.cli.main import COMPLETE, verb_first

_BASH = """\
# Completion of %(prog_name)s for bash.
%(complete_func)s() {
  local line kind
  COMPREPLY=()
  while IFS= read -r line; do
    kind="${line%%%%,*}"
    case "$kind" in
      dir) compopt -o dirnames 2> /dev/null ;;
      file) compopt -o default 2> /dev/null ;;
      plain) COMPREPLY+=("$(printf '%%q' "${line#*,}")") ;;
    esac
  done < <(COMP_WORDS="${COMP_LINE:0:COMP_POINT}" %(complete_var)s=bash "$1" 2> /dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Names with blanks and colons come through as they are."""

    source_template = _BASH

    def source(self) -> str:
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_WORDS"]
        typed = split_arg_string(line)[1:]
        if line[-1:].isspace():
            typed.append("")
        return typed[:-1], typed[-1] if typed else ""

    def format_completion(self, item: click.shell_completion.CompletionItem) -> str:
        # For bash a colon and an equals sign end a word: what is before them is there already.
        typed = self.get_completion_args()[1]
        kept = max(typed.rfind(":"), typed.rfind("=")) + 1
        value = str(item.value)
        return f"{item.type},{value[kept:] if value.startswith(typed[:kept]) else value}"


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


@verb()
@click.argument("shell", type=click.Choice(tuple(SHELLS)), required=False, metavar="SHELL", help="bash, zsh or fish")
@option("--answer", hidden=True)
def completion(shell: str | None, answer: str | None) -> int:
    if answer:
        return _answer(answer.partition("_")[0])
    if shell is None:
        raise click.UsageError(f"say which shell: {', '.join(SHELLS)}")
    print(_of(shell).source(), end="")
    return 0


def _of(shell: str) -> ShellComplete:
    return SHELLS[shell](program, {}, PROGRAM, COMPLETE)


def _answer(shell: str) -> int:
    """What may come next, for a shell that asks by the variable."""
    if shell not in SHELLS:
        return 1
    asked = _of(shell)
    args, incomplete = asked.get_completion_args()
    items = asked.get_completions(verb_first(args), incomplete)
    sys.stdout.write("".join(f"{asked.format_completion(item)}\n" for item in items))
    return 0

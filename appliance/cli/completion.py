"""`completion`: what a shell needs to complete the command line, made from its parser."""

import argparse
from collections.abc import Iterator

from appliance.cli.verbs import PROGRAM, build_parser

SHELLS = ("bash", "zsh", "fish")

Chain = tuple[str, ...]
Word = tuple[str, str]
Words = dict[Chain, list[Word]]
"""The words that may follow each chain of verbs, each with its help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="bash: `source <(glance-appliance completion bash)`")


def run(arguments: argparse.Namespace) -> int:
    words = dict(_walk((), build_parser()))
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell](words), end="")
    return 0


def _walk(chain: Chain, parser: argparse.ArgumentParser) -> Iterator[tuple[Chain, list[Word]]]:
    words: list[Word] = []
    below: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below.update(action.choices)
            words += [(choice.dest, choice.help or "") for choice in action._choices_actions]
        elif action.option_strings:
            words += [(flag, _line(action)) for flag in action.option_strings if flag.startswith("--")]
        elif action.choices:
            words += [(str(choice), "") for choice in action.choices]
    yield chain, words
    for name, subparser in below.items():
        yield from _walk((*chain, name), subparser)


def _line(action: argparse.Action) -> str:
    return " ".join((action.help or "").replace("%%", "%").split())


def _bash(words: Words) -> str:
    cases = "".join(
        f"    {_quoted(' '.join(chain))}) words={_quoted(' '.join(word for word, _ in following))} ;;\n"
        for chain, following in words.items()
    )
    return _BASH.replace("@CASES@", cases).replace("@PROGRAM@", PROGRAM)


def _zsh(words: Words) -> str:
    def item(word: str, line: str) -> str:
        return _quoted(f"{word}:{line}" if line else word)

    cases = "".join(
        f"    {_quoted(' '.join(chain))}) found=({' '.join(item(*pair) for pair in following)}) ;;\n"
        for chain, following in words.items()
    )
    return _ZSH.replace("@CASES@", cases).replace("@PROGRAM@", PROGRAM)


def _fish(words: Words) -> str:
    lines = [_FISH.replace("@CHAINS@", " ".join(_quoted(" ".join(chain)) for chain in words if chain))]
    for chain, following in words.items():
        condition = _quoted(f"test \"$(__{_NAME}_chain)\" = '{' '.join(chain)}'")
        if not all(word.startswith("--") for word, _ in following):
            lines.append(f"complete -c {PROGRAM} -n {condition} -f\n")
        for word, line in following:
            what = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            lines.append(
                f"complete -c {PROGRAM} -n {condition} {what}" + (f" -d {_quoted(line)}" if line else "") + "\n"
            )
    return "".join(lines).replace("@PROGRAM@", PROGRAM).replace("@NAME@", _NAME)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_NAME = PROGRAM.replace("-", "_")

_BASH = f"""\
# Completion of @PROGRAM@ for bash.
_{_NAME}() {{
  local word chain="" words="" current="${{COMP_WORDS[COMP_CWORD]}}" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    case "$word" in
      -*) break ;;
      *) chain="${{chain:+$chain }}$word" ;;
    esac
  done
  while :; do
    case "$chain" in
@CASES@    esac
    [[ -n $words || $chain != *' '* ]] && break
    chain="${{chain% *}}"
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F _{_NAME} @PROGRAM@
"""

_ZSH = f"""\
#compdef @PROGRAM@
# Completion of @PROGRAM@ for zsh.
_{_NAME}() {{
  local chain="" word
  local -a found
  for word in ${{words[2,CURRENT-1]}}; do
    [[ $word == -* ]] && break
    chain="${{chain:+$chain }}$word"
  done
  while true; do
    case "$chain" in
@CASES@    esac
    [[ ${{#found}} -gt 0 || $chain != *' '* ]] && break
    chain="${{chain% *}}"
  done
  _describe 'word' found || _files
}}
compdef _{_NAME} @PROGRAM@
"""

_FISH = """\
# Completion of @PROGRAM@ for fish.
function __@NAME@_chain
  set -l chain
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and break
    set -l longer (string join ' ' $chain $word)
    contains -- $longer @CHAINS@; or break
    set chain $chain $word
  end
  string join ' ' $chain
end
"""

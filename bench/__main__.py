"""Everything that docs/performance.md states, one part after the other: `python -m bench [PART ...] [-- OPTIONS]`."""

import runpy
import sys

PARTS = ("store", "corpus", "transport", "tls", "service", "downloads", "logins", "remote")


def main() -> None:
    """Run the parts named, or all of them, each with the options that follow `--`."""
    words = sys.argv[1:]
    options = words[words.index("--") + 1 :] if "--" in words else []
    named = [word for word in words[: len(words) - len(options)] if word != "--"]
    for part in named or PARTS:
        print(f"\n== {part}", flush=True)
        sys.argv = [f"bench/{part}.py", *options]
        runpy.run_module(f"bench.{part}", run_name="__main__")


if __name__ == "__main__":
    main()

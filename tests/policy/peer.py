"""Run by the Python of `.venv-clients`: says of each line of its input what the real oslo.policy says.

A line is JSON: rules by name, which one is asked, credentials, target. The answer is `true`, `false` or `wrong`, for
text that is no rule.
"""

import json
import logging
import sys
from typing import Any

from oslo_config import cfg
from oslo_policy import _parser, policy

mistakes: list[logging.LogRecord] = []
"""What the parser has logged: it raises nothing."""


def noted(record: logging.LogRecord) -> bool:
    mistakes.append(record)
    return False


def answer(rules: dict[str, str], asked: str, credentials: dict[str, Any], target: dict[str, Any]) -> str:
    mistakes.clear()
    for text in rules.values():
        _parser.parse_rule(text)
    if mistakes:
        return "wrong"
    config = cfg.ConfigOpts()
    config([], default_config_files=[])
    enforcer = policy.Enforcer(config, use_conf=False)
    enforcer.set_rules(policy.Rules.from_dict(rules), use_conf=False)
    try:
        return json.dumps(bool(enforcer.enforce(asked, target, credentials)))
    except (SyntaxError, ValueError, TypeError) as error:
        # What it did not notice when it read the rule.
        return f"wrong: {error}"


if __name__ == "__main__":
    logger = logging.getLogger("oslo_policy._parser")
    logger.addFilter(noted)
    logger.propagate = False
    for line in sys.stdin:
        print(answer(*json.loads(line)), flush=True)

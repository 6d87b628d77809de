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


def answer(rules: dict[str, str], asked: str, credentials: dict[str, Any], target: dict[str, Any]) -> str:
    if any(str(_parser.parse_rule(text)) == "!" and text != "!" for text in rules.values()):
        return "wrong"
    config = cfg.ConfigOpts()
    config([], default_config_files=[])
    enforcer = policy.Enforcer(config, use_conf=False)
    enforcer.set_rules(policy.Rules.from_dict(rules), use_conf=False)
    return json.dumps(bool(enforcer.enforce(asked, target, credentials)))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(answer(*json.loads(line)), flush=True)

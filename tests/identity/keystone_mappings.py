"""Run by real Keystone's own Python: what its mapping engine makes of the cases on standard input."""

import copy
import json
import sys
from typing import Any

import keystone.conf
from keystone.federation import utils

keystone.conf.configure()
keystone.conf.CONF([], project="keystone", default_config_files=[])


def evaluate(case: dict[str, Any]) -> Any:
    processor = utils.IDP_ATTRIBUTE_MAPPING_SCHEMAS[case["version"]]["processor"]
    try:
        mapping = {"rules": copy.deepcopy(case["rules"]), "schema_version": case["version"]}
        utils.validate_mapping_structure(mapping)
        return processor("mapping", mapping["rules"]).process(case["assertion"])
    except Exception as error:  # The kind of a refusal is of no interest here.
        return f"{type(error).__name__}"


print(json.dumps([evaluate(case) for case in json.load(sys.stdin)]))

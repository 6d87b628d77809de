"""`python appliance.py VERB`: the appliance, run from a checkout."""

import sys

from appliance.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

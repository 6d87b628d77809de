"""`python -m appliance` is the same program as `appliance.py` and the executable."""

import sys

from appliance.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

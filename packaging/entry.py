"""Where the executable starts: `appliance.py`, tied first to the process that unpacked it."""

import sys

from appliance.cli.frozen import tie_to_parent
from appliance.cli.main import main

if __name__ == "__main__":
    tie_to_parent()
    sys.exit(main())

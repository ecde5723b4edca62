"""`python -m prober`."""

import sys

from prober.main import main

sys.exit(main(sys.argv[1:]))

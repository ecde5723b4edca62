"""`python -m prober`."""

import signal
import sys

# A Ctrl-C while modules load ends it quietly; main hears signals by itself once it runs.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from prober.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))

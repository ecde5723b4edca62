"""`python -m prober`."""

import gc
import os
import signal
import sys

# A Ctrl-C while modules load ends it quietly; main hears signals by itself once it runs.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# The C core of gRPC, which looks when it is imported, writes to stderr in a form of its own what we tell in ours.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from prober.options import ProberOptions  # noqa: E402

# It ends here for `--help`, before what takes long to load.
options = ProberOptions.parsed(sys.argv[1:])

# With the garbage collector at rest: code is loaded to stay, and looking through it takes a part of the start.
gc.disable()
from prober.main import main  # noqa: E402

gc.freeze()
gc.enable()

sys.exit(main(options))

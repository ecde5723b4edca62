"""The simulator as a process of its own: `python -m router_service.simulator --simulator-address 127.0.0.1:8790`."""

import signal
import sys

if __name__ == "__main__":
    # Until it serves there is nothing to tidy up: Ctrl-C ends the process, with no traceback out of some import.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    from .program import main

    sys.exit(main())

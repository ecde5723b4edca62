"""Runs a module that ends with its parent: `python -m router_service.commands.tethered SECONDS MODULE ARGUMENTS`.

Standard input is a pipe whose other end the parent alone has. When the parent is gone, however it went, the kernel
closes that end, and this process stops as after SIGTERM; SECONDS later it is killed if it still runs.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

STDIN = 0


def main() -> None:
    """Become the module, with a thread beside it that waits for the parent's end."""
    _, stop_s, module, *arguments = sys.argv
    threading.Thread(target=_end_with_parent, args=(float(stop_s),), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent(stop_s: float) -> None:
    while os.read(STDIN, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stop_s)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()

"""`signalbox` and `python -m router_service`: minds Ctrl-C, and only then loads the command line."""

from __future__ import annotations

import sys

from router_service.interrupt import EXIT_CODE, Interrupt


def main() -> int:
    interrupt = Interrupt()
    interrupt.ends_the_process()
    try:
        from router_service.cli import main as run

        code = run(interrupt=interrupt)
        interrupt.is_too_late()
    except KeyboardInterrupt:  # it came between two of the command line's own steps
        interrupt.is_too_late()
        return EXIT_CODE
    return code


if __name__ == "__main__":
    sys.exit(main())

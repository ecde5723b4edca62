"""How a shell runs this program again, for lines that people are told to type."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

NAME = "signalbox"


def program(invoked: str, python: str, path: str | None = None) -> str:
    """`signalbox` where the search path leads there; else the file that was invoked, as it was named; else the module.

    `invoked` is `sys.argv[0]`, `python` the interpreter, and `path` the search path, by default $PATH.
    """
    is_script = Path(invoked).name == NAME and os.access(invoked, os.X_OK)
    # The installed script stands beside the interpreter also where that was told to run the module.
    script = invoked if is_script else str(Path(python).with_name(NAME))
    if not os.access(script, os.X_OK):
        return shlex.join([python, "-m", "router_service"])
    found = shutil.which(NAME, path=path)
    return NAME if found is not None and os.path.samefile(found, script) else shlex.quote(script)

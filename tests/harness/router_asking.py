"""`router_asking.py PORT serve …`: signalbox as it is, but for the name server that it asks, on this machine."""

from __future__ import annotations

import sys
from functools import partial

from aiohttp.resolver import AsyncResolver

from router_service.__main__ import main
from router_service.providers import aiohttp_transport

if __name__ == "__main__":
    asking = partial(AsyncResolver, nameservers=["127.0.0.1"], udp_port=int(sys.argv.pop(1)))
    setattr(aiohttp_transport, "AsyncResolver", asking)  # noqa: B010  (the name is a class's elsewhere)
    sys.exit(main())

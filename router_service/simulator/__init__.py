"""The simulated providers: a real HTTP server that speaks the vendors' dialects, with latency and faults on request.

`server.serve` runs it inside a process, `python -m router_service.simulator` as a process of its own.
"""

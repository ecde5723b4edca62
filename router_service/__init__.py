"""The router process: a gRPC service that picks a target for each request, runs it there, and accounts for it."""

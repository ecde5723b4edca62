"""`make bench-peers`: other routers on the same core, in front of the same upstream, under the same load."""

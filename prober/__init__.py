"""The prober: a process of its own that measures every provider all the time and publishes what it finds."""

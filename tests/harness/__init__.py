"""Real processes for tests: how they are started, watched, hurt and ended, and how the simulator's log is read."""

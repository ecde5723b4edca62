"""State that outlives a request, behind small Protocols: in memory and in SQLite."""

"""The benchmark: what it makes of its figures, and that the pages say what its report says. Nothing is timed here."""

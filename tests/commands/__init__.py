"""The commands: what they ask, what they show, and how they end."""

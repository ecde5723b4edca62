"""The configuration: files good and bad, keys, and the page that describes it."""

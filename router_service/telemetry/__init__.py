"""Traces and logs, hung on hooks that are fed with frozen events; nothing here decides anything."""

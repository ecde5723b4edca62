"""The subcommands of `signalbox`, one module each, imported only when it is run."""

"""What the command line takes: a module for each subcommand, with its options and its words.

Nothing here imports what does the work before it has to be done: `--help`, a mistyped option and the completion of a
shell come at once.
"""

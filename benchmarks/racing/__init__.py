"""The race track: every system on the same matrices, in turn, each in a process of its own; rows, tables, plots."""

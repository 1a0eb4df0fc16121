"""One sub-command per module, found by package scan."""

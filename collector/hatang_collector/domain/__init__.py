"""Pure nouns and decisions: data and ``now`` in, a named decision out. No socket, clock or log."""

"""One module per thing measured; found by package scan (see :mod:`hatang_agent.registry`)."""

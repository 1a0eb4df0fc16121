"""Kills agents, broker, collector and store at random moments, then counts what was lost."""

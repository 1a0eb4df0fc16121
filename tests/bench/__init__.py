"""Measures speed and size of the whole program and prints them beside their targets."""

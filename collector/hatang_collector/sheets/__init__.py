"""Tables that people fill in: their columns, reading them from files, what they change, writing them out.

Promise: a file is taken whole or not at all (unless asked otherwise), every problem names its place,
cause and next step, and what is exported reads back to the same rows.
"""

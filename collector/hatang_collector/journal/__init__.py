"""The append-only log of what agents sent, and the reading of it. The journal is the truth.

What ``append`` has returned for is on the disk: a power cut loses none of it, changes none of it,
and never gives its index to anything else.
"""

"""Adding an office: what is asked, what is written, who may enrol, and what has arrived since.

Guarantee: nothing is written before all of it is known to be right; then unit, site, links, tokens
and the notes in the audit log are one transaction.
"""

"""The ledger: who and what is known, in SQLite or PostgreSQL. Transactions belong to the caller."""

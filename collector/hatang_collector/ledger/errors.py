"""What can go wrong with the ledger, for people: one line with the place, the cause, the next step."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger refuses; the text is one line for a person, ``hint`` the next step where it is known."""

    hint = ""


class LedgerUnavailable(LedgerError):  # noqa: N818 - says what is, like StoreUnavailable
    """The database cannot be reached or stays busy; trying again later helps."""

    def __init__(self, cause: str) -> None:
        self.hint = "is the database running, is ledger.url right, is the disk full?"
        super().__init__(f"the ledger cannot be used: {cause}; {self.hint}")

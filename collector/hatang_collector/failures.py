"""What a command turns into one line on standard error instead of a trace."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - read by a person, not a programming error
    """The command cannot go on; the text names the place, the cause and the next step."""


def known_failures() -> tuple[type[Exception], ...]:
    """Every exception whose text is meant for the person at the terminal."""
    from hatang_agent.strictconfig import ConfigError
    from hatang_collector.broker.contract import BrokerError
    from hatang_collector.journal.projection import StoreUnavailable
    from hatang_collector.journal.segments import JournalDamaged
    from hatang_collector.journal.streams import JournalLocked
    from hatang_collector.ledger.errors import LedgerError

    journal = (JournalDamaged, JournalLocked)
    return (Failure, ConfigError, BrokerError, StoreUnavailable, *journal, LedgerError, OSError)


def exit_code(error: Exception) -> int:
    """2 for wrong settings, 1 for everything else."""
    from hatang_agent.strictconfig import ConfigError

    return 2 if isinstance(error, ConfigError) else 1

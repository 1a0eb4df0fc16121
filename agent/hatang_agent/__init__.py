"""Hạ Tầng agent: measures one machine and owns each measurement until a collector has journaled it."""

from __future__ import annotations

__version__ = "0.1.0"

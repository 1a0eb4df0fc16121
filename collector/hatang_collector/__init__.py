"""Hạ Tầng collector: journals what agents report, then derives everything else from the journal."""

from __future__ import annotations

__version__ = "0.1.0"

"""Runs the agent from this folder: ``python3 -I /usr/lib/hatang-agent COMMAND``."""

from __future__ import annotations

import sys

from hatang_agent.__main__ import main

sys.exit(main())

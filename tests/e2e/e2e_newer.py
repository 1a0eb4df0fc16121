"""A collector of the next version, as far as the wire is concerned: it knows schema 1 and 2.

``python e2e_newer.py COMMAND …`` takes the arguments of ``hatang-collector``.
"""

from __future__ import annotations

import sys

from hatang_agent.wire import codec
from hatang_collector.__main__ import main

KNOWN = (1, 2)
_refuse = codec.refuse_other_schema


def refuse_other_schema(schema: object) -> None:
    """Refuse what the next version would refuse."""
    if isinstance(schema, bool) or schema not in KNOWN:
        _refuse(schema)


if __name__ == "__main__":
    codec.refuse_other_schema = refuse_other_schema
    sys.exit(main())

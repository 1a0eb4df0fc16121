"""What is wrong with a field of a form, for programs; pages and the command have the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """``code`` is the end of the key of its text, ``values`` what that text names."""

    code: str
    values: Mapping[str, object] = field(default_factory=dict)


Faults = dict[str, Fault]
"""By field, in the order they were found."""

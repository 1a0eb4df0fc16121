"""Writes sheets to where a person wants them: one workbook, or a folder of CSV files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hatang_collector.failures import Failure


def write(
    target: Path, workbook: Callable[[], bytes], csv_files: Callable[[], Mapping[str, bytes]], *, force: bool
) -> list[Path]:
    """Write a workbook when the name ends in ``.xlsx``, else CSV files into a folder of that name.

    Returns:
        The files written.

    Raises:
        Failure: a file is there already and ``force`` is not given, or the name has another ending.
        OSError: the place cannot be written to.
    """
    if target.suffix.lower() == ".xlsx":
        files = {target: workbook()}
    elif target.suffix and not target.is_dir():
        raise Failure(f"{target} is neither a .xlsx file nor a folder; name one of them")
    else:
        files = {target / name: content for name, content in csv_files().items()}
    there = [str(path) for path in files if path.exists()]
    if there and not force:
        raise Failure(f"{there[0]} is there already; choose another name, or add --force")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(files)

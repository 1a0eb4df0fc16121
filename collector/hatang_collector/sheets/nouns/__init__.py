"""One module per sheet with ``SHEET``; found by package scan (:func:`..contract.sheets`)."""

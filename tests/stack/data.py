"""The real NixOS option lists to index and measure against; the project ships none of their texts."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NIX_TRINITY_DATA"
CHECKOUT = Path(__file__).resolve().parents[2]


def data_dir() -> Path | None:
    """Return the folder named in ``NIX_TRINITY_DATA``, else ``shared/data`` beside the checkout, if there."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    return folder.resolve() if folder.is_dir() else None

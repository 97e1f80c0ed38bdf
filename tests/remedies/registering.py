"""Remedies of what the registration of a handover refuses or tells."""

from __future__ import annotations

from tests.remedies import Remedy

REGISTERING: dict[str, Remedy] = {}

"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

from tests.remedies import Remedy

REMEDIES: dict[str, Remedy] = {}

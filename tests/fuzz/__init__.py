"""Damaged files of every format: each ends in an error that names its cause, or reads right.

`python -m tests.fuzz.run --files 2000` tries them; `tests/fuzz/test_fuzz.py` runs a part of them.
"""

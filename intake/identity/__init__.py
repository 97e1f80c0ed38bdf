"""What identifies a person, and where it may have gone: identity values, their forms, the search.

Used by ``python -m intake`` and ``python -m intake.phi_scan``; no stage imports it.
"""

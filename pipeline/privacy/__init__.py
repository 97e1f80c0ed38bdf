"""What identifies a person, and where it may have gone: identity values, their forms, the search.

Used by ``python -m pipeline.register`` and ``python -m pipeline.phi_scan``; no stage imports it.
"""

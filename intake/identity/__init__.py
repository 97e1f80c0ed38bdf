"""What identifies a person, and where it may have gone: identity values, their forms, the search.

Used by ``vertebromics intake`` and ``vertebromics phi-scan``; no stage imports it.
"""

"""From what a hospital hands over to a pseudonymous study: find, match, name, clean, write.

Used by ``vertebromics intake``; no stage imports it.
"""

"""One class a table that a study writes: columns with type, unit, blanks and meaning.

A file holds the tables of one stage, so that a changed column makes only that stage's results anew.
"""

"""The type of a text that only people read."""

#: Annotate a constant or a function's result with it: a fingerprint of code then leaves it out
#: (`pipeline.running.words_in_code`).
Words = str

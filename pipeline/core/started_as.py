"""How a command was started, apart from ``python -m``."""

#: Environment variable: what was typed to start a command, if not ``python -m``.
NAME_VARIABLE = "VERTEBROMICS_COMMAND"

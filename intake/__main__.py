"""``vertebromics intake``: see `intake.pseudonymous_study`."""

from intake.pseudonymous_study import command_line

if __name__ == "__main__":
    command_line()

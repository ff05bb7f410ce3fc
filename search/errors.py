"""The errors a user can cause or mend, by what the scripts make of them."""


class UserError(ValueError):
    """A mistake in what was asked for: one line with the value, the rule and the remedy. Exit code 2."""


class SweepFailed(RuntimeError):
    """The sweep cannot go on, though what was asked for was sound. Exit code 1."""


class LeaseLost(SweepFailed):
    """Another driver has taken this sweep over: this one must not write any more."""


class SweepInterrupted(SweepFailed):
    """Ctrl-C or SIGTERM stopped what a larger command was in the middle of; run again it goes on."""


class TrackingDown(RuntimeError):
    """The tracking store does not answer, or refuses what is written."""


class TrackingRefused(TrackingDown):
    """The tracking store answers, and will not take what is written however often it is tried again."""


def shortened(text: str, most: int = 1000) -> str:
    """Another program's message on one line, cut between words if it is long: half an address is none."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most + 1].rpartition(' ')[0]} ..."

"""What a case is, and how it is judged."""

import time
import traceback

from lab.results import CannotBeDone, Result


class Case:
    """One row below the table: `title` says what must be so, `run` raises where it is not."""

    title = ""
    alone = False  # whether nothing else may run meanwhile
    patient = False  # whether it mostly waits, so that it may run beside all others, those that are alone included

    def prepare(self, world):
        """Adds what the case needs before the world starts."""

    async def run(self, world):
        raise NotImplementedError


def check(condition, complaint):
    if not condition:
        raise AssertionError(complaint)


async def judge(subject, work, trace=False):
    started = time.monotonic()
    try:
        await work
        verdict, reason = "ok", ""
    except CannotBeDone as cannot:
        verdict, reason = "n/a", str(cannot)
    except Exception as failure:
        verdict, reason = "fail", f"{type(failure).__name__}: {failure}"
        if trace:
            traceback.print_exc()
    return Result(subject, verdict, reason, time.monotonic() - started)

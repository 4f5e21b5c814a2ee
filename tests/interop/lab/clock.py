"""The time of day as one program sees it, to be set while the program runs."""

from datetime import timedelta
from pathlib import Path

[LIBRARY] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")


class Clock:
    """libfaketime between a program and the C library. The monotonic clock is left alone, as it is by who sets a clock."""

    def __init__(self, file):
        self.file = file
        self.step(timedelta())

    def step(self, offset):
        """From now on it is wrong by so much."""
        # Renamed into place, so that nobody reads half of it.
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset.total_seconds():+.0f}\n")
        new.rename(self.file)

    @property
    def environment(self):
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

"""What a process uses, as the kernel counts it."""

from pathlib import Path


def memory_kib(pid):
    """Resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise LookupError("the process is gone")


def cpu_seconds(pid):
    """Time on a processor, in user space and kernel together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100

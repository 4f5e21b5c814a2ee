"""The gateway that docs/gateway-link.md gives its readers, run as they would run it."""

import re
import sys
from pathlib import Path

from lab import plan
from lab.process import Process

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "gateway-link.md"


class GuidesGateway:
    def __init__(self, edge):
        self.edge = edge

    async def start(self, directory):
        program = directory / "gateway.py"
        # The other one is run by `it::daemon::guide`.
        code, _ = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
        program.write_text(code)
        words = [self.edge.address, plan.LINK_PORT, self.edge.domain, self.edge.directory / "gateway.secret"]
        self.process = await Process.start("gateway-of-the-guide", [sys.executable, program, *words], directory)
        await self.process.line("link is up")

    async def stop(self):
        return await self.process.stop()

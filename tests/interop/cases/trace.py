"""Traces of a server that is refused, one that proves itself by dialback, and one by its certificate: what was decided
is decided again when they are replayed."""

import asyncio

from lab import plan
from lab.case import Case, check
from lab.process import Process

TIME = 12  # how long each trace runs, in seconds


class Traced(Case):
    patient = True
    kind = "prosody"

    def __init__(self, title, name, method, entry, decided):
        self.title = f"A trace of Prosody, {title}, is replayed to the same decisions"
        self.domain = f"{name}.traced.prosody.example"
        self.method, self.entry, self.decided = method, entry, decided

    async def run(self, world):
        gateway, edge = world.gateways[self.edge], world.edges[self.edge]
        file = edge.directory / f"{self.domain}.trace"
        config = ["--config", edge.directory / "edge.toml"]
        command = [edge.binary, "trace", self.domain, "--for", f"{TIME}s", "--output", file, *config]
        watcher = await Process.start(f"trace-{self.domain}", command, edge.logs)
        await watcher.line("^Watching ")
        async with world.user(self.domain) as user:
            if self.entry is None:
                await user.error_for(gateway.me, "may I, with these whispered words?")
            else:
                await user.ask_message(gateway.me)
                await gateway.ask_message(user.me)
        await watcher.line("^The time is over: ", deadline=TIME + 15)
        check(await watcher.child.wait() == 0, "the trace did not end well")
        text = file.read_text()
        check(self.decided in text, f"{self.decided} is not in {file}")
        for said in ("ask ", "whispered", "a user at the partner", str(user.me.user)):
            check(f">{said}" not in text and f"'{said}@" not in text, f"{said!r} is in {file}")
        replay = await asyncio.create_subprocess_exec(
            edge.binary, "replay", file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output = (await replay.communicate())[0].decode()
        check(replay.returncode == 0, f"the replay of {file}: {replay.returncode}\n{output[-3000:]}")
        check(output.endswith("the same is decided.\n"), output[-3000:])
        check("was not replayed" not in output and "up to line" not in output, output[-3000:])


CASES = [
    Traced("which is refused", "refused", "tls-dialback", None, '"reason":"unknown-partner"'),
    Traced(
        "which proves itself by dialback",
        "dialback",
        "tls-dialback",
        plan.POLICY["tls-dialback"],
        '"what":"proven","pair":["contoso.example","dialback.traced.prosody.example"],"method":"tls-dialback"',
    ),
    Traced(
        "which proves itself by its certificate",
        "certificate",
        "sasl-external",
        plan.POLICY["sasl-external"],
        '"method":"sasl-external"',
    ),
]

"""A program of the lab: its output is an event to wait for, a file to read afterwards, and a list to search."""

import asyncio
import contextlib
import os
import re
import time

DEADLINE = 15.0


class Process:
    @classmethod
    async def start(cls, name, argv, log_directory, env=None, cwd=None, stdin=asyncio.subprocess.DEVNULL):
        """Both output streams are read as one."""
        self = cls()
        self.name = name
        self.lines = []
        self.news = asyncio.Condition()
        log_directory.mkdir(parents=True, exist_ok=True)
        self.log_path = log_directory / f"{name}.log"
        self.child = await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | (env or {}),
            cwd=cwd,
            limit=1 << 24,  # a debug log may hold a whole stanza in one line
        )
        self.reader = asyncio.create_task(self._read())
        return self

    @property
    def pid(self):
        return self.child.pid

    async def _read(self):
        with self.log_path.open("ab", buffering=0) as log:
            async for raw in self.child.stdout:
                log.write(raw)
                async with self.news:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                    self.news.notify_all()
        async with self.news:
            self.news.notify_all()

    async def until(self, condition, deadline=DEADLINE):
        """Waits until the condition holds, asking anew at each line. Whether it did before time or output ended."""
        async with self.news:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait_for(lambda: condition() or self.reader.done()), deadline)
        return bool(condition())

    async def line(self, wanted, after=0, deadline=DEADLINE):
        """The first line from index `after` on that matches `wanted`: a pattern, or a function of the line."""
        matches = wanted if callable(wanted) else re.compile(wanted).search
        seen, found = after, []

        def met():
            nonlocal seen
            while seen < len(self.lines) and not found:
                if matches(self.lines[seen]):
                    found.append(self.lines[seen])
                seen += 1
            return found

        if not await self.until(met, deadline):
            tail = "\n".join(self.lines[-5:])
            raise TimeoutError(f"{self.name} never wrote what was waited for; its last lines:\n{tail}")
        return found[0]

    async def listening(self, address, port, deadline=DEADLINE):
        """Waits until it accepts connections there."""
        end = time.monotonic() + deadline
        while True:
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                if self.reader.done() or time.monotonic() > end:
                    tail = "\n".join(self.lines[-5:])
                    raise TimeoutError(f"{self.name} never listened on {address}:{port}:\n{tail}") from None
                await asyncio.sleep(0.05)  # a listening socket announces itself to nobody
            else:
                writer.close()
                return

    async def kill(self):
        if self.child.returncode is None:
            self.child.kill()
        await self.reader
        return await self.child.wait()

    async def stop(self, deadline=DEADLINE):
        """Asks, waits, and only then insists. Returns the exit status."""
        if self.child.returncode is None:
            self.child.terminate()
            try:
                await asyncio.wait_for(self.child.wait(), deadline)
            except TimeoutError:
                self.child.kill()
        await self.reader
        return await self.child.wait()

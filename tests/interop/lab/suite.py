"""Runs the cells of the table and the cases beside it, in one world."""

import asyncio
import contextlib
import sys

from cases import CASES, cell

from lab import ledger, plan
from lab.case import judge
from lab.world import matrix_world

AT_ONCE = 6  # the machine may be small; more at once only makes each of them wait


async def run(directory, binary, only="", verbose=False):
    cells = [c for c in plan.CELLS if only in str(c)]
    chosen = [c for c in CASES if only in c.title]
    world = matrix_world(directory, binary)
    for case in CASES:
        case.prepare(world)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(subject, work, gate=gate):
        async with gate:
            result = await judge(subject, work, trace=verbose)
        print(f"{result.verdict:>4} {result.seconds:6.2f} s  {subject}", file=sys.stderr)
        return result

    async with world:
        waiting = [one(c.title, c.run(world), contextlib.nullcontext()) for c in chosen if c.patient]
        waiting = asyncio.gather(*waiting)
        together = [one(c, cell.run(world, c)) for c in cells]
        together += [one(c.title, c.run(world)) for c in chosen if not (c.alone or c.patient)]
        results = list(await asyncio.gather(*together))
        for case in chosen:
            if case.alone:
                results.append(await one(case.title, case.run(world)))
        results += await waiting
    results += [await one(ledger.TITLE.format(edge.domain), ledger.balanced(edge)) for edge in world.edges.values()]
    return results

"""What a simulated worker does on simulated hosts: shaped like ``jobs/deploy.py`` and ``jobs/recover.py``, several
commands one after another, each under its fence, each able to be the last that is heard of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from deployer.jobs.work import Journal
from deployer.operations.checks import CheckEnd, TakenCheck
from deployer.operations.probes import TakenProbe
from deployer.operations.steps import Settlement, TakenStep
from tests.model.hosts import Ended, Fence, Fleet, Slot, Unreachable

ANY_ATTEMPT = float("inf")


@dataclass
class Errands:
    """The errands of one worker, ``owner``."""

    fleet: Fleet
    owner: str

    async def carry_out(self, step: TakenStep, say: Journal) -> Settlement:
        """Put the target into service; if that fails, what was there before."""
        slot, fence = _slot(step), (step.step_id, step.attempt)
        switched = False
        try:
            say.phase("Preparing")
            await self._run(slot, fence, 1.0)
            before = self.fleet.probe(slot)
            say.phase("Switching")
            say.line("on its way")
            switched = True
            await self._run(slot, fence, 4.0, step.to_label)
            await asyncio.sleep(0)
            return Settlement(True, self.fleet.probe(slot))
        except Unreachable:
            return Settlement(False, None, "The host was lost.")
        except Ended as problem:
            if not switched or before is None:
                return await self._ask_at_the_end(slot, str(problem))
            return await self._restore(slot, fence, before, str(problem))

    async def look_after(self, step: TakenStep, say: Journal) -> Settlement:
        """The end of a step whose worker was lost: nothing older may act any more, then the host is asked."""
        slot, fence = _slot(step), (step.step_id, step.attempt)
        try:
            say.phase("Recovering")
            await self._run(slot, fence, 2.0)
            found = self.fleet.probe(slot)
            await asyncio.sleep(0)
            if found is None:
                return await self._restore(slot, fence, step.from_label, "The worker was lost.")
        except Unreachable:
            return Settlement(False, None, "The worker was lost, and the host cannot be reached.")
        except Ended as problem:
            return await self._ask_at_the_end(slot, str(problem))
        if found == step.to_label:
            return Settlement(True, found)
        return Settlement(False, found, "The worker was lost.", untouched=found == step.from_label)

    async def ask(self, probe: TakenProbe) -> str | None:
        """Which version runs. Fences off too: what an older worker has still under way would make the answer a lie."""
        slot = (probe.place.hostname, probe.place.service)
        fence = probe.last_step, ANY_ATTEMPT
        try:
            self.fleet.fence_off(slot, fence)
            await asyncio.sleep(0.5)
            return self.fleet.probe(slot)
        except (Unreachable, Ended):
            return None

    async def check(self, check: TakenCheck) -> CheckEnd:
        """Whether the host can be reached. It reads only, and nothing that an upgrade goes by."""
        await asyncio.sleep(0.5)
        lost = check.place.hostname in self.fleet.unreachable
        return CheckEnd(None, "unreachable") if lost else CheckEnd({})

    async def _restore(self, slot: Slot, fence: Fence, version: str, reason: str) -> Settlement:
        try:
            await self._run(slot, fence, 2.0, version)
        except Unreachable:
            return Settlement(False, None, reason)
        except Ended:
            return await self._ask_at_the_end(slot, reason)
        return await self._ask_at_the_end(slot, f"{reason} It was restored.")

    async def _ask_at_the_end(self, slot: Slot, reason: str) -> Settlement:
        await asyncio.sleep(0)
        try:
            return Settlement(False, self.fleet.probe(slot), reason)
        except Unreachable:
            return Settlement(False, None, reason)

    async def _run(self, slot: Slot, fence: Fence, seconds: float, to: str | None = None) -> None:
        await asyncio.sleep(0)  # on its way to the host: the worker may be paused or killed here
        heard = asyncio.get_running_loop().create_future()
        command = self.fleet.begin(slot, self.owner, fence, seconds, to, heard)
        try:
            await heard
        except asyncio.CancelledError:
            if slot[0] not in self.fleet.unreachable:
                self.fleet.end(slot, command, None)
            raise


def _slot(step: TakenStep) -> Slot:
    return step.place.hostname, step.place.service

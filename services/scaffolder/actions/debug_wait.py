"""`debug:wait`: waits for some time, ten minutes at most."""

import asyncio
import time

from services.scaffolder.actions.action import Action, ActionContext, members, step
from shared.contracts.errors import Invalid

_LONGEST = 600.0
_UNITS = {"minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}
_UNTIL = "until"


async def _run(context: ActionContext) -> None:
    seconds = sum(context.input.get(unit, 0) * size for unit, size in _UNITS.items())
    if not 0 <= seconds <= _LONGEST:
        raise Invalid(
            f"Waiting for {seconds:g} seconds is not possible: "
            f"it must be between 0 and {_LONGEST:g}"
        )
    # The time of day goes on over a restart of the process; its own clock does not.
    until = context.checkpoints.get(_UNTIL)
    if until is None:
        until = time.time() + seconds
        await context.checkpoint(_UNTIL, until)
    left = max(0.0, min(until - time.time(), seconds))
    context.log(f"Waiting for {left:.3g} seconds...")
    await asyncio.sleep(left)
    context.log(f"Waited for {seconds:g} seconds.")


def _number(unit: str) -> dict[str, str]:
    return {"type": "number", "description": f"Waiting time in {unit}."}


ACTION = Action(
    id="debug:wait",
    description="Waits for a time.",
    run=_run,
    input=members({unit: _number(unit) for unit in _UNITS}),
    examples=[
        step("debug:wait", "Wait for half a minute", "seconds: 30"),
        step("debug:wait", "Wait for 50 milliseconds", "milliseconds: 50"),
    ],
)

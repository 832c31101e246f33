"""Commands beside the loop: what they print, and that none outlives who asked."""

import asyncio
import os
from pathlib import Path

import pytest

from shared.kit.processes import commands
from tests.waiting import until

ENV = {"PATH": os.environ["PATH"]}
#: Time in which also a busy machine starts a shell, which is then to be late.
LATE_SECONDS = 2.0
#: Starts another that lasts, says its number, and waits for it.
PARENT = "sleep 60 & echo $! > child; wait"


async def test_output_and_exit_code_are_returned(tmp_path: Path) -> None:
    """Both outputs, the code, its folder and its input."""
    script = "pwd; cat; echo no >&2; exit 3"
    result = await commands.run(
        ["sh", "-c", script], cwd=tmp_path, data=b"given", env=ENV, seconds=10
    )
    assert result == commands.CommandResult(3, f"{tmp_path}\ngiven".encode(), b"no\n")


async def test_a_missing_program_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await commands.run(["no-such-command"], env=ENV, seconds=10)


async def test_a_command_over_its_time_is_killed_with_its_children(
    tmp_path: Path,
) -> None:
    """None of its processes goes on in its folder."""
    with pytest.raises(TimeoutError):
        await commands.run(
            ["sh", "-c", PARENT], cwd=tmp_path, env=ENV, seconds=LATE_SECONDS
        )
    await until(lambda: not is_alive(child_of(tmp_path)), "the child to end")


async def test_processes_that_a_command_leaves_are_killed(tmp_path: Path) -> None:
    """A child that keeps the output open is killed at the time limit."""
    script = "sleep 60 & echo $! > child"
    with pytest.raises(TimeoutError):
        await commands.run(
            ["sh", "-c", script], cwd=tmp_path, env=ENV, seconds=LATE_SECONDS
        )
    await until(lambda: not is_alive(child_of(tmp_path)), "the child to end")


async def test_a_cancelled_command_is_killed(tmp_path: Path) -> None:
    """The process ends before the caller gets the cancellation."""
    running = commands.run(["sh", "-c", PARENT], cwd=tmp_path, env=ENV, seconds=60)
    task = asyncio.create_task(running)
    await until((tmp_path / "child").is_file)
    await until((tmp_path / "child").read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not is_alive(child_of(tmp_path)), "the child to end")


async def test_a_cancellation_is_never_lost() -> None:
    """Also when it comes in the moment in which the command ends.

    A lost cancellation once kept a catalog from stopping.
    """
    for number in range(60):
        command = commands.run(["true"], env=ENV, seconds=10)
        task = asyncio.create_task(command)
        # Another moment of the command's life each time: before, at or after its end.
        await asyncio.sleep(number / 20_000)
        if not task.done():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_commands_over_the_limit_wait_for_a_thread() -> None:
    every = [
        commands.run(["echo", str(number)], env=ENV, seconds=30)
        for number in range(3 * commands.CONCURRENT_COMMANDS)
    ]
    results = await asyncio.gather(*every)
    assert [int(result.stdout) for result in results] == list(
        range(3 * commands.CONCURRENT_COMMANDS)
    )


def child_of(folder: Path) -> int:
    return int((folder / "child").read_text())


def is_alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}

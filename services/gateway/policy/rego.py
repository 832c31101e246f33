"""The policy's `.rego` files, evaluated inside this process by regopy.

The same files and the same question as an OPA server's; the bundle is compiled once.
"""

import json
from pathlib import Path
from typing import Any

from regopy import Input, Interpreter, Output, RegoError

from services.gateway.model import Decision, PolicyInput
from services.gateway.policy.question import PACKAGE, RULE, Questions, decision_of
from shared.contracts.errors import Unavailable

QUERY = f"{RULE} = data.{PACKAGE}.{RULE}"


class RegoPolicy:
    """`Policy` over compiled Rego.

    Raises Unavailable at start when a file does not compile, naming it.
    """

    def __init__(self, folder: Path, questions: Questions) -> None:
        self._questions = questions
        compiler = interpreter(folder)
        self._bundle = compiler.build(QUERY, [])
        if not self._bundle.ok():
            raise Unavailable(f"The policy in {folder.name} does not compile")
        self._run = Interpreter()

    async def decide(self, question: PolicyInput) -> Decision:
        """One decision; a fraction of a millisecond, so not worth a thread."""
        try:
            # Nothing awaits between the two calls: one input at a time.
            self._run.set_input(Input(as_source(self._questions.document(question))))
            found = result_of(self._run.query_bundle(self._bundle), RULE)
        except (RegoError, ValueError) as error:
            raise Unavailable("The policy could not be evaluated") from error
        return decision_of(found)


def as_source(value: Any) -> Any:
    """A value of the question with its strings as they would stand in a Rego file.

    regopy takes, compares and prints strings as written between quotes: of one with a
    quote in it the answer would be no JSON, and one with a zero would end there.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1]
    if isinstance(value, list):
        return [as_source(each) for each in value]
    if isinstance(value, dict):
        return {key: as_source(each) for key, each in value.items()}
    return value


def result_of(output: Output, name: str) -> Any:
    """What `name` is bound to; None if it is undefined or an error.

    Not by `output.binding`: asking for one that is not there ends the whole process in
    this version of regopy.
    """
    return output[0].bindings.get(name) if output.ok() and len(output) else None


def interpreter(folder: Path, *, tests: bool = False) -> Interpreter:
    """An interpreter that has read every Rego file under `folder`.

    Raises:
        Unavailable: if there is none, or one cannot be read.
    """
    files = [
        file
        for file in sorted(folder.rglob("*.rego"))
        if tests or not file.name.endswith("_test.rego")
    ]
    if not files:
        raise Unavailable(f"No policy files under {folder}")
    rego = Interpreter()
    for file in files:
        try:
            rego.add_module(file.name, file.read_text())
        except RegoError as error:
            raise Unavailable(f"The policy file {file.name}: {error}") from error
    return rego

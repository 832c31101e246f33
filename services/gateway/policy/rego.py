"""The policy's `.rego` files, evaluated inside this process by regopy.

Files and input are the same as an OPA server's; the bundle is compiled once.
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
    """`Policy` by compiled Rego.

    Raises Unavailable, naming the file, if one does not compile.
    """

    def __init__(self, folder: Path, questions: Questions) -> None:
        self._questions = questions
        compiler = interpreter(folder)
        self._bundle = compiler.build(QUERY, [])
        if not self._bundle.ok():
            raise Unavailable(f"The policy in {folder.name} does not compile")
        self._interpreter = Interpreter()

    async def decide(self, question: PolicyInput) -> Decision:
        """One decision; it takes a fraction of a millisecond and needs no thread."""
        try:
            # No await between the two calls, because there is one input at a time.
            self._interpreter.set_input(
                Input(as_source(self._questions.document(question)))
            )
            result = result_of(self._interpreter.query_bundle(self._bundle), RULE)
        except (RegoError, ValueError) as error:
            raise Unavailable("The policy could not be evaluated") from error
        return decision_of(result)


def as_source(value: Any) -> Any:
    """A value of the input with its strings escaped as in a Rego file.

    regopy takes, compares and prints the text between quotes: a string with a quote in
    it would break the JSON of the output, and one with a zero would end there.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1]
    if isinstance(value, list):
        return [as_source(item) for item in value]
    if isinstance(value, dict):
        return {key: as_source(item) for key, item in value.items()}
    return value


def result_of(output: Output, name: str) -> Any:
    """The binding of `name`; None if it is undefined or an error.

    It avoids `output.binding`, which ends the whole process for a missing name in this
    version of regopy.
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

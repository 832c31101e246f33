"""Creates runs: loads and checks the template, freezes it with answers, stores it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from services.scaffolder.model import (
    Answers,
    Initiator,
    RunSpec,
    RunUser,
    Task,
    fresh_steps,
    now,
)
from services.scaffolder.ports import TaskStore, TemplateCatalog, Vault
from services.scaffolder.secrets import hidden_answers
from services.scaffolder.secrets.redaction import Redactor
from services.scaffolder.templates import template_entity
from services.scaffolder.templates.schema_checks import SchemaProblem
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid, NotFound, TooMany
from shared.contracts.ref import parse_ref
from shared.contracts.scaffolder import RunCreated
from shared.contracts.trace import Trace
from shared.guards.workers import ThreadCall

_SECRETS_LIMIT = 256 * 1024
#: Every line of the log is searched for each of the some twenty forms of a secret.
_MOST_SECRETS, _MOST_SECRET_ANSWERS = 100, 1_000
#: Unclaimed runs, of one creator and of all.
MOST_WAITING, MOST_WAITING_TOGETHER = 100, 1_000
_RETRY_SECONDS = 30


class BadParameters(Exception):
    """The values break the template's rules; the answer lists how."""

    def __init__(self, problems: list[SchemaProblem]) -> None:
        super().__init__(problems[0]["stack"])
        self.problems = problems


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The request for a new run: the template, the answers, the secrets."""

    template_ref: str
    values: Answers
    secrets: Mapping[str, str]
    trace: Trace = field(default_factory=dict)


async def load_template(
    catalog: TemplateCatalog, ref: str, initiator: Initiator, in_thread: ThreadCall
) -> Entity:
    """The template entity; `in_thread` checks it.

    Raises:
        NotFound: if there is none that the initiator may see.
        Invalid: if the ref is none, or the entity is no valid template.
    """
    canonical = str(parse_ref(ref, default_kind="template"))
    template = await catalog.entity(canonical, initiator)
    if template is None or template.kind.lower() != "template":
        raise NotFound(f"Template {canonical} not found")
    await in_thread(template_entity.check, template.raw)
    return template


async def create_task(
    request: RunRequest,
    initiator: Initiator,
    *,
    catalog: TemplateCatalog,
    store: TaskStore,
    vault: Vault,
    in_thread: ThreadCall,
) -> Task:
    """Store a new run, with its event; a process of the scaffolder claims it then.

    Raises:
        BadParameters: if values or secrets break the template's rules.
        NotFound: if there is no such template for the initiator.
        TooMany: if too many runs wait already.
    """
    await require_capacity(store, initiator)
    check_secrets(request.secrets)
    ref = request.template_ref
    template = await load_template(catalog, ref, initiator, in_thread)
    await in_thread(check_parameters, template, request.values, request.secrets)
    user = await user_of(catalog, initiator)
    spec, names = await in_thread(spec_of, template, request.values, user)
    has_hidden = spec["parameters"] != request.values
    task = Task(
        id=str(uuid.uuid4()),
        spec=spec,
        created_by=initiator,
        created_at=now(),
        secrets=sealed(vault, request.secrets),
        hidden=vault.seal([sorted(names), request.values]) if has_hidden else None,
        steps=fresh_steps(spec),
        is_confidential=bool(request.secrets) or has_hidden,
        trace=request.trace,
    )
    await store.create(task, run_created_event(task))
    return task


async def require_capacity(store: TaskStore, creator: Initiator) -> None:
    """Check that one more run may wait.

    Raises:
        TooMany: if too many wait already.
    """
    own, together = await store.count_waiting(creator.ref)
    if own >= MOST_WAITING:
        raise TooMany(
            f"{own} runs of {creator.ref} wait for their turn, at most {MOST_WAITING} "
            "may: cancel some, or try again when some have begun",
            retry_after=_RETRY_SECONDS,
        )
    if together >= MOST_WAITING_TOGETHER:
        raise TooMany(
            f"{together} runs wait for their turn, at most {MOST_WAITING_TOGETHER} "
            "may: try again when some have begun",
            retry_after=_RETRY_SECONDS,
        )


def spec_of(
    template: Entity, values: Answers, user: RunUser
) -> tuple[RunSpec, frozenset[str]]:
    """The spec of a run, with stars for secret answers, and the names of those.

    Raises:
        Invalid: if too many of the values are secrets.
    """
    names = hidden_answers.secret_names(template_entity.pages(template), values)
    answers = islice(
        hidden_answers.secret_texts(values, names), _MOST_SECRET_ANSWERS + 1
    )
    if len(list(answers)) > _MOST_SECRET_ANSWERS:
        raise Invalid(
            f"values: at most {_MOST_SECRET_ANSWERS} texts may be secret answers"
        )
    return template_entity.frozen_spec(
        template, hidden_answers.masked(values, names), user
    ), names


def check_parameters(
    template: Entity, values: Answers, secrets: Mapping[str, str]
) -> None:
    """Check answers and secrets against the template's schemas.

    Raises:
        BadParameters: naming every broken rule, and no secret.
    """
    problems = template_entity.parameter_problems(
        template, values
    ) or template_entity.secret_problems(template, secrets)
    if problems:
        pages = template_entity.pages(template)
        names = hidden_answers.secret_names(pages, values)
        redactor = Redactor(
            [*secrets.values(), *hidden_answers.secret_texts(values, names)]
        )
        raise BadParameters([_without(redactor, problem) for problem in problems])


def _without(redactor: Redactor, problem: SchemaProblem) -> SchemaProblem:
    """A problem without secrets; its schema is a part of the template: no secret."""
    redacted = {
        key: value if key == "schema" else redactor.value(value)
        for key, value in problem.items()
    }
    return cast("SchemaProblem", redacted)


async def user_of(catalog: TemplateCatalog, initiator: Initiator) -> RunUser:
    """The user whom a run acts for, as templates see it; empty for a program."""
    if not initiator.is_user:
        return {}
    user = await catalog.entity(initiator.ref, initiator)
    return (
        {"entity": dict(user.raw), "ref": initiator.ref}
        if user
        else {"ref": initiator.ref}
    )


def check_secrets(secrets: Mapping[str, str]) -> None:
    """Check how many secrets there are, and how long together.

    Raises:
        Invalid: if they are too many or too large.
    """
    if len(secrets) > _MOST_SECRETS:
        raise Invalid(f"secrets: over the limit of {_MOST_SECRETS}")
    if sum(len(value) for value in secrets.values()) > _SECRETS_LIMIT:
        raise Invalid(f"secrets: over the limit of {_SECRETS_LIMIT} characters")


def sealed(vault: Vault, secrets: Mapping[str, str]) -> str | None:
    """The secrets, encrypted for the store; None if there are none.

    Raises:
        Invalid: if they are too many or too large.
    """
    check_secrets(secrets)
    if not secrets:
        return None
    return vault.seal(dict(secrets))


def run_created_event(task: Task) -> RunCreated:
    """The event of a new, unclaimed run."""
    return RunCreated(
        task_id=task.id,
        template_ref=task.template_ref,
        created_by=task.created_by.ref,
        status="open",
        sequence=task.next_sequence(),
    )

"""Runs of templates as pages show them: steps with their state, the log, the results.

Reads what the scaffolder answers; sends no request.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from markupsafe import Markup, escape

from services.portal.entities import entity_href
from services.portal.formats import moment, safe_url
from services.portal.prose import MOST_MICROSECONDS, ProseBudget
from shared.contracts.entity import mapping_of

COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
OTHER_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*+\x07|.)?|[\x00-\x08\x0b-\x1f]"
)
COLOURS = {
    "31": "bad",
    "91": "bad",
    "33": "warn",
    "93": "warn",
    "32": "good",
    "92": "good",
}
#: How lines begin that tell of a fault.
FAULT = re.compile(r"\W{0,3}(?:(\w{0,60}error|fatal)|warn(?:ing)?)\b", re.IGNORECASE)
COLOURS |= {"34": "info", "36": "info", "94": "info", "96": "info", "90": "faint"}
LIVE = frozenset({"open", "processing"})
CAN_RETRY = frozenset({"failed", "cancelled"})
ENDED = CAN_RETRY | {"completed"}
MOST_LINES = 4000
#: Of what a template puts out.
MOST_LINKS, MOST_TEXTS = 40, 20
ADDRESS = re.compile(r"https?://[^\s<>\"')\]]+")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as a list shows it; `status` is the scaffolder's word."""

    id: str
    template: str
    template_title: str
    status: str
    created_at: str
    created_by: str

    @property
    def href(self) -> str:
        return f"/create/tasks/{self.id}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class Step:
    """One step and how far it is; times in milliseconds."""

    id: str
    name: str
    action: str
    status: str
    took: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log, its colours as marked spans; `tone` is of the whole line."""

    text: Markup
    step: str
    at: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class RunLink:
    """A link in a run's output; `entity` says whether it leads to an entity's page.

    `href` is "" if the output has no address for it, or none that a browser may follow.
    """

    title: str
    href: str
    entity: bool


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is, read from its events; `last` is the id of the latest one."""

    steps: Sequence[Step]
    lines: Sequence[LogLine]
    links: Sequence[RunLink]
    texts: Sequence[tuple[str, Markup]]
    error: str
    last: int
    left_out: int


def run_of(task: Mapping[str, Any]) -> RunSummary:
    """A run from the scaffolder's task."""
    spec = mapping_of(task.get("spec"))
    info = mapping_of(spec.get("templateInfo"))
    metadata = mapping_of(mapping_of(info.get("entity")).get("metadata"))
    ref = str(info.get("entityRef") or task.get("templateRef") or "")
    return RunSummary(
        id=str(task.get("id") or ""),
        template=ref,
        template_title=str(metadata.get("title") or ref.rpartition("/")[2] or "Run"),
        status=str(task.get("status") or ""),
        created_at=str(task.get("createdAt") or ""),
        created_by=str(task.get("createdBy") or ""),
    )


def progress_of(
    task: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> RunProgress:
    """Steps, log and outcome of a task, from its events in their order."""
    declared = mapping_of(task.get("spec")).get("steps") or ()
    done = next((e for e in reversed(events) if e.get("type") == "completion"), None)
    body = mapping_of(done.get("body")) if done else {}
    output = mapping_of(body.get("output"))
    error = mapping_of(body.get("error"))
    live = str(task.get("status")) in LIVE
    log_events = events[-MOST_LINES:]
    return RunProgress(
        steps=list(_steps(declared, events, live=live)),
        lines=[_line(event) for event in log_events],
        links=list(_links(output)),
        texts=list(_texts(output)),
        error=str(error.get("message") or error.get("name") or ""),
        last=int(events[-1].get("id") or 0) if events else 0,
        left_out=len(events) - len(log_events),
    )


def _steps(
    declared: Sequence[Any], events: Sequence[Mapping[str, Any]], *, live: bool
) -> Iterator[Step]:
    names = _step_names(declared)
    counts = Counter(names)
    turns: Counter[str] = Counter()
    states: dict[tuple[str, int], str] = {}
    starts: dict[tuple[str, int], str] = {}
    ends: dict[tuple[str, int], str] = {}
    for event in events:
        body, at = mapping_of(event.get("body")), str(event.get("createdAt") or "")
        step, status = str(body.get("stepId") or ""), str(body.get("status") or "")
        if not step or not status:
            continue
        is_next = states.get((step, turns[step]), "processing") != "processing"
        if is_next and turns[step] + 1 < counts[step]:
            # Several steps may share an id: they run in the order of the template.
            turns[step] += 1
        key = (step, turns[step])
        states[key] = status
        (starts if status == "processing" else ends)[key] = at
    turns.clear()
    for name, step_json in zip(names, map(mapping_of, declared), strict=True):
        key = (name, turns[name])
        turns[name] += 1
        status = states.get(key, "open")
        yield Step(
            id=name,
            name=str(step_json.get("name") or step_json.get("action") or name),
            action=str(step_json.get("action") or ""),
            status=status if live or status != "processing" else "cancelled",
            took=_between(starts.get(key), ends.get(key)),
        )


def _step_names(declared: Sequence[Any]) -> list[str]:
    return [
        str(mapping_of(step).get("id") or f"step-{number}")
        for number, step in enumerate(declared, 1)
    ]


def _between(start: str | None, end: str | None) -> int | None:
    first, last = moment(start), moment(end)
    if not start or not end or first is None or last is None:
        return None
    return max(0, int((last - first).total_seconds() * 1000))


def _line(event: Mapping[str, Any]) -> LogLine:
    body = mapping_of(event.get("body"))
    message = str(body.get("message") or "")
    fault = FAULT.match(message)
    return LogLine(
        text=with_colours(message),
        step=str(body.get("stepId") or ""),
        at=str(event.get("createdAt") or ""),
        tone="" if fault is None else "bad" if fault[1] else "warn",
    )


def with_colours(text: str) -> Markup:
    """Terminal colours as spans, addresses as links; other escapes are dropped."""
    spans: list[Markup] = []
    tone, place = "", 0
    for match in COLOUR.finditer(text):
        spans.append(_span(text[place : match.start()], tone))
        codes = match[1].split(";")
        tone = next((COLOURS[code] for code in codes if code in COLOURS), "")
        place = match.end()
    spans.append(_span(text[place:], tone))
    return Markup("").join(spans)


def _span(text: str, tone: str) -> Markup:
    plain = OTHER_ESCAPES.sub("", text)
    pieces: list[Markup] = []
    place = 0
    for match in ADDRESS.finditer(plain):
        address = match[0].rstrip(".,;:")
        pieces.append(escape(plain[place : match.start()]))
        pieces.append(Markup('<a href="{0}">{0}</a>').format(address))
        place = match.start() + len(address)
    pieces.append(escape(plain[place:]))
    linked = Markup("").join(pieces)
    if not tone or not linked:
        return linked
    return Markup('<span class="log-{}">{}</span>').format(tone, linked)


def _links(output: Mapping[str, Any]) -> Iterator[RunLink]:
    for item in islice(output.get("links") or (), MOST_LINKS):
        link = mapping_of(item)
        ref, url = str(link.get("entityRef") or ""), safe_url(link.get("url"))
        if ref:
            title = str(link.get("title") or ref)
            yield RunLink(title, entity_href(full_ref(ref)), entity=True)
        elif url or link:
            yield RunLink(str(link.get("title") or url or "Link"), url, entity=False)


def full_ref(ref: str) -> str:
    """A ref with its namespace, and `component` where the kind is left out."""
    kind, colon, rest = ref.lower().partition(":")
    if not colon:
        kind, rest = "component", kind
    return f"{kind}:{rest}" if "/" in rest else f"{kind}:default/{rest}"


def _texts(output: Mapping[str, Any]) -> Iterator[tuple[str, Markup]]:
    budget = ProseBudget(MOST_MICROSECONDS)
    for item in islice(output.get("text") or (), MOST_TEXTS):
        text = mapping_of(item)
        content = str(text.get("content") or "")
        yield str(text.get("title") or ""), budget.render(content)

"""What the other services answer, as the portal's fakes give it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from services.portal.model import ApiAnswer
from tests.portal.company import Entity

CHANGED = ["updated", "created", "deleted", "imported"]
PRE, POST = "<x1>", "</x1>"


TEMPLATE = "python-service"


NEW = "component:default/basket"


TASK = "7f0c9d5e-1111-4222-8333-944455566677"


COMMIT = "4f1c9a7be2d04f1c9a7be2d04f1c9a7be2d0aaaa"


STEPS: list[dict[str, Any]] = [
    {
        "title": "What it is",
        "schema": {
            "title": "What it is",
            "required": ["name", "owner"],
            "properties": {
                "name": {
                    "title": "Name",
                    "type": "string",
                    "description": "In lower case and dashes",
                    "pattern": "^[a-z][a-z0-9-]*$",
                    "minLength": 3,
                    "ui:autofocus": True,
                },
                "owner": {
                    "title": "Owner",
                    "type": "string",
                    "description": "The team that looks after it",
                    "ui:field": "OwnerPicker",
                    "ui:options": {"catalogFilter": {"kind": "Group"}},
                },
                "about": {
                    "title": "Description",
                    "type": "string",
                    "ui:widget": "textarea",
                },
            },
        },
    },
    {
        "title": "Where it belongs",
        "schema": {
            "properties": {
                "lifecycle": {
                    "title": "Lifecycle",
                    "type": "string",
                    "enum": ["experimental", "production"],
                    "default": "experimental",
                },
                "port": {
                    "title": "Port",
                    "type": "integer",
                    "minimum": 1024,
                    "default": 8080,
                },
                "database": {"title": "It keeps something", "type": "boolean"},
                "readers": {
                    "title": "Readers",
                    "type": "array",
                    "items": {"type": "string", "enum": ["engineers", "theatres"]},
                    "default": ["engineers"],
                },
                "token": {"title": "Token", "type": "string", "ui:field": "Secret"},
            },
            "dependencies": {
                "database": {
                    "oneOf": [
                        {"properties": {"database": {"const": False}}},
                        {
                            "properties": {
                                "database": {"const": True},
                                "retention": {
                                    "title": "How long it is kept",
                                    "type": "string",
                                    "enum": ["30 days", "1 year"],
                                },
                            },
                            "required": ["retention"],
                        },
                    ]
                }
            },
        },
    },
]


ARTICLE = """
<h1 id="booking">Booking<a class="headerlink" href="#booking" title="Permanent link">¶</a></h1>
<p>The box office answers one question: <em>is this seat still free?</em></p>
<div class="admonition note"><p class="admonition-title">Note</p><p>Read the rules.</p></div>
<h2 id="rules">Rules<a class="headerlink" href="#rules" title="Permanent link">¶</a></h2>
<table><thead><tr><th>who</th><th>may</th></tr></thead><tbody><tr><td>visitor</td><td>hold
nine seats</td></tr></tbody></table>
<h2 id="code">Code<a class="headerlink" href="#code" title="Permanent link">¶</a></h2>
<div class="highlight"><pre><span></span><code><span class="k">def</span>
<span class="nf">hold</span><span class="p">():</span> <span class="s2">"seat"</span>
</code></pre></div>
<ul class="task-list"><li class="task-list-item"><input type="checkbox" disabled checked>
an owner</li></ul>
"""  # noqa: E501 - as a generator writes it


def results(entities: dict[str, Entity]) -> list[dict[str, Any]]:
    results = []
    for ref, entity in entities.items():
        kind, _, rest = ref.partition(":")
        namespace, _, name = rest.partition("/")
        metadata, spec = entity["metadata"], entity["spec"]
        document = {
            "title": metadata.get("title") or metadata["name"],
            "text": metadata.get("description") or "",
            "kind": entity["kind"],
            "lifecycle": spec.get("lifecycle", ""),
            "owner": spec.get("owner", ""),
            "location": f"/catalog/{namespace}/{kind}/{name}",
        }
        results.append({"type": "software-catalog", "document": document})
    section = {
        "title": "Rules",
        "text": "A visitor may hold <b>nine</b> seats. " * 30,
        "kind": "component",
        "entityTitle": "Booking",
        "location": "/docs/default/component/booking/rules/#rules",
    }
    trap = {"title": "Trap", "text": "Not a link", "kind": "component"}
    trap["location"] = "javascript:alert(1)"
    results.append({"type": "techdocs", "document": section})
    results.append({"type": "techdocs", "document": {**trap, "entityTitle": "Booking"}})
    return results


def marked(result: dict[str, Any], term: str) -> dict[str, Any]:
    fields = {
        name: text.replace(term, f"{PRE}{term}{POST}")
        for name in ("title", "text")
        if term and term in (text := result["document"][name])
    }
    highlight = {"preTag": PRE, "postTag": POST, "fields": fields}
    return {**result, "highlight": highlight}


def suggestion(result: dict[str, Any]) -> dict[str, Any]:
    document = result["document"]
    return {
        "title": document["title"],
        "type": result["type"],
        "kind": document["kind"],
        "entityTitle": document.get("entityTitle", document["title"]),
        "location": document["location"],
    }


def site(**fields: Any) -> dict[str, Any]:
    """A site that was built; `given` replaces what a test is about."""
    return {
        "entity_ref": "component:default/booking",
        "entity_title": "Booking",
        "title": "Booking",
        "description": "Holds and bookings.",
        "owner": "box-office-team",
        "status": "built",
        "built_at": "2026-11-22T15:00:00+00:00",
        "commit": COMMIT,
        "repository": "booking",
        "error": None,
        "warnings": [],
        "log": [],
        "pages": [{"path": "", "title": "Booking", "edit_url": "https://git.x/edit/i"}],
        "nav": [
            {"title": "Overview", "path": "", "children": []},
            {"title": "Rules", "path": "rules", "children": []},
            {
                "title": "Decisions",
                "path": None,
                "children": [{"title": "One", "path": "decisions/one", "children": []}],
            },
        ],
        **fields,
    }


def article(page: str) -> dict[str, Any]:
    return {
        "path": page,
        "title": "Booking" if not page else page.capitalize(),
        "html": ARTICLE if not page else "<p>Nine seats at most.</p>",
        "toc": [
            {"id": "booking", "title": "Booking", "level": 1},
            {"id": "rules", "title": "Rules", "level": 2},
            {"id": "code", "title": "Code", "level": 2},
        ],
        "edit_url": "https://git.playhouse.example/booking/edit/main/docs/index.md",
        "previous": {"path": "", "title": "Overview"} if page else None,
        "next": {"path": "rules", "title": "Rules"} if not page else None,
        "commit": COMMIT,
        "built_at": "2026-11-22T15:00:00+00:00",
        "entity_ref": "component:default/booking",
    }


def task(status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A run of the template by Ann."""
    return {
        "id": TASK,
        "status": status,
        "createdAt": "2026-11-22T15:30:00Z",
        "createdBy": "user:default/ann",
        "spec": {
            "steps": [
                {
                    "id": "skeleton",
                    "name": "Write the first files",
                    "action": "fetch:template",
                },
                {
                    "id": "publish",
                    "name": "Create the repository",
                    "action": "publish:git",
                },
                {"id": "tell", "name": "Tell everybody", "action": "debug:log"},
            ],
            "parameters": {"name": "seat-finder", "owner": "group:default/stage-team"},
            "templateInfo": {
                "entityRef": "template:default/python-service",
                "entity": {"metadata": {"name": TEMPLATE, "title": "Python service"}},
            },
        },
        **fields,
    }


OUTPUT = {
    "links": [
        {"title": "Open in the catalog", "entityRef": "component:default/x"},
        {"title": "Repository", "url": "https://git.x/seat-finder"},
        {"title": "Trap", "url": "javascript:alert(1)"},
        {"title": "Log", "url": ""},
    ],
    "text": [{"title": "Next", "content": "Say **hello** <i>there</i>."}],
}


def _log(message: str, step: str = "", status: str = "") -> dict[str, str]:
    body = {"message": message, "stepId": step, "status": status}
    return {name: value for name, value in body.items() if value}


def events() -> list[dict[str, Any]]:
    """What a run that went well says."""
    logs = [
        _log("Starting up task with 3 steps"),
        _log("Beginning step A", "skeleton", "processing"),
        _log("\x1b[32minfo\x1b[39m: wrote <12> files", "skeleton"),
        _log("Finished step A", "skeleton", "completed"),
        _log("Beginning step B", "publish", "processing"),
        _log("pushed to https://git.x/seat-finder.", "publish"),
        _log("Finished step B", "publish", "completed"),
        _log("Skipping step C", "tell", "skipped"),
    ]
    ended = {"message": "Run completed with status: completed", "output": OUTPUT}
    bodies = [*(("log", body) for body in logs), ("completion", ended)]
    return [
        {
            "id": number,
            "taskId": TASK,
            "type": kind,
            "body": body,
            "createdAt": f"2026-11-22T15:30:{number:02}.000Z",
        }
        for number, (kind, body) in enumerate(bodies, 1)
    ]


def status() -> dict[str, Any]:
    """A portal in which one engine is away."""
    return {
        "status": "not ready",
        "services": [
            {"name": "gateway", "ready": True, "checks": {"kafka": "ok"}},
            {
                "name": "catalog",
                "ready": False,
                "checks": {"kafka": "ok", "mongodb": "does not answer"},
                "figures": {"outbox": 3.0},
            },
        ],
        "engines": [
            {"name": "kafka", "ready": True, "seen_by": {"gateway": "ok"}},
            {
                "name": "mongodb",
                "ready": False,
                "seen_by": {"catalog": "does not answer"},
            },
        ],
        "webhooks": {
            "git.playhouse.example": {
                "at": "2026-11-22T15:40:00Z",
                "repository": "payments",
            }
        },
    }


def ok(value: Any) -> ApiAnswer:
    return ApiAnswer(200, {"content-type": "application/json"}, orjson.dumps(value))


def missing(message: str) -> ApiAnswer:
    body = orjson.dumps({"error": {"name": "NotFoundError", "message": message}})
    return ApiAnswer(404, {"content-type": "application/json"}, body)


def figures(period: str, *, empty: bool = False) -> list[dict[str, Any]]:
    """What `/api/analytics/summary` says of a period."""
    step = 1 if period.endswith("h") else 24
    windows = int(period[:-1])
    last = datetime(2026, 3, 9, tzinfo=UTC)
    starts = [last - timedelta(hours=step * n) for n in reversed(range(windows))]
    return [
        _figure(name, outcomes, groups, starts, empty=empty)
        for name, outcomes, groups in (
            (
                "changes",
                CHANGED,
                ["group:default/stage-team", "group:default/gone", ""],
            ),
            ("runs", ["completed", "failed", "cancelled"], ["template:default/x"]),
            ("docs-builds", ["built", "failed"], ["component:default/booking"]),
            ("pushes", ["pushed"], ["git.playhouse.example/booking"]),
        )
    ]


def _figure(
    name: str,
    outcomes: list[str],
    groups: list[str],
    starts: list[datetime],
    *,
    empty: bool,
) -> dict[str, Any]:
    def counts(number: int) -> dict[str, int]:
        return {o: 0 if empty else number + n for n, o in enumerate(outcomes)}

    hourly = len(starts) > 1 and (starts[1] - starts[0]).seconds
    return {
        "figure": name,
        "period": "",
        "step": "hour" if hourly else "day",
        "outcomes": outcomes,
        "since": None if empty else starts[0].isoformat(),
        "buckets": [
            {"start": start.isoformat(), "counts": counts(n % 5)}
            for n, start in enumerate(starts)
        ],
        "totals": dict.fromkeys(outcomes, 0 if empty else 12),
        "groups": []
        if empty
        else [{"name": name, "counts": counts(7), "total": 7} for name in groups],
        "complete": empty or name != "runs",
    }

"""The fake public API's other services: search, docs, runs of templates, status."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import orjson

from services.portal.model import ApiAnswer
from services.scaffolder.actions import registry
from services.scaffolder.templates.expression_syntax import expression_errors
from tests.portal.answers import (
    NEW,
    STEPS,
    TASK,
    TEMPLATE,
    article,
    events,
    figures,
    marked,
    missing,
    ok,
    results,
    site,
    status,
    suggestion,
    task,
)
from tests.portal.company import Entity
from tests.portal.fakes import FakeApi

#: The actions that the scaffolder has, as it describes them.
DOCUMENTS = {action.id: action.document() for action in registry.load().all()}


def checked(spec: dict[str, Any]) -> dict[str, Any]:
    """What the scaffolder says of a template's spec."""
    errors = [
        {**error._asdict(), "message": error.message}
        for error in expression_errors(spec)
    ]
    return {"expressionErrors": errors}


class FakeServices(FakeApi):
    """`runs` are tasks by id with their events, `sites` are states of documentation."""

    def __init__(self, entities: dict[str, Entity] | None = None) -> None:
        super().__init__(entities)
        self.runs: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
            TASK: (task(), events())
        }
        self.sites: dict[str, dict[str, Any]] = {"default/component/booking": site()}
        self.steps = STEPS
        #: What the scaffolder says of a template that it cannot read.
        self.template_fault = ""
        self.actions = ["fetch:template", "publish:git", "debug:log"]
        self.registered: set[str] = set()
        self.provided: list[dict[str, Any]] = []
        self.articles: dict[str, str] = {}
        #: Of sites, `namespace/kind/name/path`.
        self.files = {"default/component/booking/a/b.png"}
        self.pages: dict[str, dict[str, Any]] = {}
        self.started: list[Any] = []
        self.refused: list[dict[str, Any]] = []
        self.status: dict[str, Any] = status()
        #: The figures of a period; None: analytics does not answer.
        self.figures: Callable[[str], list[Any]] | None = figures

    def _answer(
        self, method: str, path: str, query: dict[str, list[str]], json: Any
    ) -> ApiAnswer:
        plugin = path.split("/")[2]
        if plugin == "scaffolder":
            return self._scaffolder(method, path, query, json)
        if plugin == "techdocs":
            return self._techdocs(path, json)
        if plugin == "search":
            return self._search(path, query)
        if plugin in {"analytics", "status"}:
            return self._analytics(query) if query else ok(self.status)
        if path == "/api/catalog/locations" and method == "POST":
            return self._locations(json["target"], dry="dryRun" in query)
        return super()._answer(method, path, query, json)

    def _analytics(self, query: dict[str, list[str]]) -> ApiAnswer:
        if self.figures is None:
            body = {"error": {"name": "ServiceUnavailableError", "message": "away"}}
            return ApiAnswer(503, {}, orjson.dumps(body))
        return ok({"figures": self.figures(query["period"][0])})

    def _scaffolder(
        self, method: str, path: str, query: dict[str, list[str]], json: Any
    ) -> ApiAnswer:
        collection, *tail = path.split("/v2/")[1].split("/")
        if collection == "templates":
            return self._form(tail[2])
        if collection == "template-checks":
            return ok({"items": [checked(spec) for spec in json["specs"]]})
        if collection == "actions":
            return ok(
                [{**DOCUMENTS.get(name, {}), "id": name} for name in self.actions]
            )
        if not tail:
            self.started.append(json) if method == "POST" else None
            return self._tasks(method, query)
        if tail[0] not in self.runs:
            return missing("Task not found")
        return self._run(tail[0], "/".join(tail[1:]))

    def _form(self, template: str) -> ApiAnswer:
        if self.template_fault:
            body = {"error": {"name": "InputError", "message": self.template_fault}}
            return ApiAnswer(400, {}, orjson.dumps(body))
        if template != TEMPLATE:
            return missing("Template not found")
        about = {"title": "Python service", "description": "Two *minutes*."}
        return ok({**about, "steps": self.steps})

    def _run(self, name: str, action: str) -> ApiAnswer:
        run, log = self.runs[name]
        if action == "cancel":
            run["status"] = "cancelled"
        if action == "retry":
            return ApiAnswer(201, {}, orjson.dumps({"id": name}))
        return ok(log if action == "events" else run)

    def _locations(self, target: str, *, dry: bool) -> ApiAnswer:
        if "bad" in target:
            error = {"name": "InputError", "message": f"Unable to read {target}"}
            return ApiAnswer(400, {}, orjson.dumps({"error": error}))
        entities = [
            self.entities[ref] for ref in ("location:default/generated-abc", NEW)
        ]
        if "empty" in target:
            entities = entities[:1]
        exists = target in self.registered
        if not dry:
            self.registered.add(target)
        body = {
            "entities": entities if dry else [],
            "exists": exists,
            "location": {"entityRef": "location:default/generated-abc"},
            "provided": self.provided,
        }
        return ApiAnswer(201, {}, orjson.dumps(body))

    def _tasks(self, method: str, query: dict[str, list[str]]) -> ApiAnswer:
        if method == "POST":
            if self.refused:
                return ApiAnswer(400, {}, orjson.dumps({"errors": self.refused}))
            return ApiAnswer(201, {}, orjson.dumps({"id": TASK}))
        creators = query.get("createdBy")
        tasks = [
            run
            for run, _ in self.runs.values()
            if not creators or run["createdBy"] in creators
        ]
        return ok({"tasks": tasks, "totalTasks": len(tasks)})

    def _techdocs(self, path: str, json: Any) -> ApiAnswer:
        if path == "/api/techdocs/sites":
            return ok({"items": list(self.sites.values())})
        if path == "/api/techdocs/sites/by-refs":
            by_ref = {site["entity_ref"]: site for site in self.sites.values()}
            return ok({"items": [by_ref.get(ref) for ref in json["entityRefs"]]})
        if path == "/api/techdocs/sites/failed":
            failed = [one for one in self.sites.values() if one["status"] == "failed"]
            return ok({"items": failed[:20], "total": len(failed), "is_cut": False})
        return self._site(path)

    def _site(self, path: str) -> ApiAnswer:
        _, _, _, collection, *rest = path.split("/")
        place, page = "/".join(rest[:3]), unquote("/".join(rest[3:]))
        if collection == "assets":
            return ok({}) if f"{place}/{page}" in self.files else missing("No file")
        site_state = self.sites.get(place)
        if site_state is None:
            return missing("There are no docs")
        return (
            ok(site_state)
            if collection == "sites"
            else self._page(site_state, place, page)
        )

    def _page(self, site_state: dict[str, Any], place: str, page: str) -> ApiAnswer:
        own = self.pages.get(f"{place}/{page}".rstrip("/"))
        if own is not None:
            return ok(own)
        if not site_state["built_at"] or page not in {"", "rules", "decisions/one"}:
            return missing("No such page")
        page_article = article(page)
        return ok(
            {**page_article, "html": self.articles.get(place, page_article["html"])}
        )

    def _search(self, path: str, query: dict[str, list[str]]) -> ApiAnswer:
        term = query.get("term", [""])[0].lower()
        types = query.get("types[0]")
        matches = self._matching_results(term, types, query.get("filters[kind]"))
        if path.endswith("/suggest"):
            return ok({"suggestions": [suggestion(match) for match in matches[:8]]})
        size = int(query.get("pageLimit", ["25"])[0])
        page = int(query.get("pageCursor", ["0"])[0])
        page_matches = [
            marked(match, term) for match in matches[page * size : (page + 1) * size]
        ]
        for number, match in enumerate(page_matches, page * size + 1):
            match["rank"] = number
        answer: dict[str, Any] = {
            "results": page_matches,
            "numberOfResults": len(matches),
        }
        if (page + 1) * size < len(matches) and size:
            answer["nextPageCursor"] = str(page + 1)
        if page:
            answer["previousPageCursor"] = str(page - 1)
        return ok(answer)

    def _matching_results(
        self, term: str, types: list[str] | None, kinds: list[str] | None
    ) -> list[dict[str, Any]]:
        return [
            result
            for result in results(self.entities)
            if term
            in f"{result['document']['title']} {result['document']['text']}".lower()
            and (not types or result["type"] in types)
            and (not kinds or result["document"]["kind"].lower() in kinds)
        ]

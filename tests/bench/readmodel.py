"""What the read model costs: `python -m tests.bench.readmodel [ENTITIES]`.

Prints time and memory to load it, and microseconds for single questions, remembered
answers of the HTTP face left aside.
"""

import gc
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from services.catalog.api.parameters import parse_order_fields
from services.catalog.query.criteria import EVERYTHING
from services.catalog.query.filters import parse_filters
from services.catalog.query.listing import ListPage, ListRequest, page_of
from services.catalog.query.ordering import indexes_of
from services.catalog.query.rendering import render, render_all
from services.catalog.query.scopes import ReaderScope, everything
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel
from tests.bench.catalogs import WORDS, Catalog
from tests.catalog.readmodels import count_facets

BY_NAME = parse_order_fields(["metadata.name,asc"])


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(title: str, ask: Callable[[int], object], seconds: float = 0.5) -> None:
    """Prints the first and the mean time of a question; asked with a running number."""
    begin = time.perf_counter()
    ask(0)
    first = time.perf_counter() - begin
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        count += 1
        ask(count)
    mean = (time.perf_counter() - begin) / count
    print(f"{title:44} first {first * 1e6:9.0f} µs   then {mean * 1e6:8.1f} µs")


def load(catalog: Catalog) -> ReadModel:
    """A filled read model, and what filling it cost."""
    model = ReadModel()
    gc.collect()
    memory, spent, count = resident(), 0.0, 0
    entities = catalog.entities()
    while batch := list(islice(entities, 500)):
        begin = time.perf_counter()
        count += model.put_many(batch)
        spent += time.perf_counter() - begin
    del batch
    gc.collect()
    microseconds = spent / count * 1e6
    print(f"{count} entities put in {spent:.2f} s, {microseconds:.0f} µs each")
    print(f"resident: {memory:.0f} MB before, {resident():.0f} MB after")
    return model


def page_at_once(
    model: ReadModel, listing: ListRequest, scope: ReaderScope
) -> ListPage:
    """A page by at most one field, which takes no turns with others."""
    indexes = indexes_of(model, listing.sort_fields)
    try:
        page_of(model, listing, scope, indexes).send(None)
    except StopIteration as end:
        page: ListPage = end.value
        return page
    raise AssertionError("the page took turns")


def listings(model: ReadModel, catalog: Catalog, scope: ReaderScope) -> None:
    """Measures pages, as the HTTP face asks for them."""
    groups = [f"group:default/{name}" for name in catalog.names["Group"]]

    def page(listing: ListRequest) -> object:
        matches = page_at_once(model, listing, scope)
        return render_all(model, matches.records, listing.fields, scope)

    services = ("kind=component,spec.type=service",)
    measure(
        "page of 20, kind and type", lambda _: page(ListRequest(services, limit=20))
    )
    measure(
        "page of 20, owner, by name",
        lambda n: page(
            ListRequest(
                (f"kind=component,relations.ownedBy={groups[n % len(groups)]}",),
                orders=BY_NAME,
                limit=20,
            )
        ),
    )
    measure(
        "page of 20, full text, by name",
        lambda n: page(
            ListRequest(
                ("kind=component",),
                orders=BY_NAME,
                term=WORDS[n % len(WORDS)],
                term_fields=("metadata.name", "metadata.title"),
                limit=20,
            )
        ),
    )


def main() -> None:
    """Measures at the size given on the command line."""
    catalog = Catalog(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    model = load(catalog)
    scope = everything(model)
    refs = list(model.ids)
    measure(
        "by name",
        lambda n: render(model, model.record(refs[n % len(refs)]), scope),  # type: ignore[arg-type]
    )
    listings(model, catalog, scope)
    measure(
        "facet of spec.type",
        lambda _: count_facets(model, ["spec.type"], EVERYTHING, scope),
    )
    kind = parse_filters(["kind=component"])
    measure(
        "facet of owners of components",
        lambda _: count_facets(model, ["relations.ownedBy"], kind, scope),
    )
    systems = parse_filters(["kind=system"])
    fields = ("kind", "metadata.name", "metadata.namespace")
    measure(
        "all systems, three fields",
        lambda _: render_all(
            model, model.existing(select(model, systems, scope)), fields, scope
        ),
    )
    name = catalog.names["Component"][0]
    measure(
        "put of a changed entity, then a page",
        lambda n: (
            model.put(catalog.entity("Component", name, n + 2)),
            page_at_once(
                model, ListRequest(("kind=component",), orders=BY_NAME), scope
            ),
        ),
    )
    print(f"resident at the end: {resident():.0f} MB")


if __name__ == "__main__":
    main()

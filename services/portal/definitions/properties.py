"""What OpenAPI says of an API beside its operations: servers, sign-in, contacts."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument
from services.portal.definitions.model import (
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    anchor,
    clip,
    join_texts,
    objects,
    words,
)
from services.portal.definitions.schema_words import example_sentence
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import Budget, BudgetExceeded

MOST_SERVERS, MOST_VARIABLES, MOST_VALUES = 30, 20, 30
MOST_ALTERNATIVES = 20
#: Schemes of a document, flows of a scheme, and scopes of all of them.
MOST_SCHEMES, MOST_FLOWS, MOST_SCOPES = 100, 10, 3_000

ROOT_FIELDS = frozenset(
    {
        *("openapi", "swagger", "info", "servers", "host", "basePath", "schemes"),
        *("paths", "webhooks", "components", "definitions", "parameters", "responses"),
        *("securityDefinitions", "security", "tags", "externalDocs", "$self"),
        *("consumes", "produces", "jsonSchemaDialect"),
    }
)
INFO_FIELDS = frozenset(
    {
        *("title", "version", "summary", "description", "termsOfService"),
        *("contact", "license", "externalDocs", "tags"),
    }
)
SERVER_FIELDS = frozenset({"url", "name", "description", "variables"})
VARIABLE_FIELDS = frozenset({"$ref", "enum", "default", "description", "examples"})
SCHEME_FIELDS = frozenset(
    {
        *("$ref", "type", "description", "name", "in", "scheme", "bearerFormat"),
        *("openIdConnectUrl", "oauth2MetadataUrl", "deprecated", "flows", "flow"),
        *("authorizationUrl", "tokenUrl", "refreshUrl", "scopes"),
        "deviceAuthorizationUrl",
    }
)
ADDRESSES = (
    ("authorizationUrl", "authorization"),
    ("deviceAuthorizationUrl", "device authorization"),
    ("tokenUrl", "token"),
    ("refreshUrl", "refresh"),
)


def server_facts(
    level: Mapping[str, Any], document: DefinitionDocument
) -> Iterator[tuple[str, str]]:
    """The servers of a document, a path or an operation, with their variables."""
    unshown = document.unshown
    servers = list_of(level.get("servers"))
    for server in unshown.first("servers", map(mapping_of, servers), MOST_SERVERS):
        unshown.check("servers", server, SERVER_FIELDS)
        url, about = words(server.get("url")), words(server.get("description"))
        label = about.partition(";")[0].partition(".")[0]
        if url:
            rest = about if about != label else ""
            yield label or words(server.get("name")) or "Server", join_texts(url, rest)
        yield from variables_of(server, document)


def variables_of(
    server: Mapping[str, Any], document: DefinitionDocument
) -> Iterator[tuple[str, str]]:
    """The variables of a server's address, with their values."""
    variables = objects(server.get("variables"))
    for name, value in document.unshown.first("variables", variables, MOST_VARIABLES):
        variable = document.follow(value)[0]
        document.unshown.check("server variables", variable, VARIABLE_FIELDS)
        yield f"{{{name}}}", _variable(variable)


def _variable(variable: Mapping[str, Any]) -> str:
    values = list_of(variable.get("enum"))
    more = ", …" if len(values) > MOST_VALUES else ""
    default = words(variable.get("default"))
    return join_texts(
        ", ".join(map(words, values[:MOST_VALUES])) + more,
        f"default {default}" if default else "",
        words(variable.get("description")),
        example_sentence(variable),
    )


def external_docs(level: Mapping[str, Any]) -> str:
    """The address of documentation elsewhere, and what it is."""
    docs = mapping_of(level.get("externalDocs"))
    return join_texts(words(docs.get("description")), words(docs.get("url")))


def requirement(security: object) -> str:
    """The security schemes that a request needs, with their scopes."""
    if not isinstance(security, list):
        return ""
    alternatives = [
        " and ".join(
            _scheme_with_scopes(str(name), scopes)
            for name, scopes in islice(mapping_of(item).items(), MOST_ALTERNATIVES)
        )
        or "none"
        for item in security[:MOST_ALTERNATIVES]
    ]
    if len(security) > MOST_ALTERNATIVES:
        alternatives.append("…")
    return " or ".join(alternatives) or "none"


def _scheme_with_scopes(name: str, scopes: object) -> str:
    names = list(map(words, list_of(scopes)))
    more = ", …" if len(names) > MOST_VALUES else ""
    return f"{name} ({', '.join(names[:MOST_VALUES])}{more})" if names else name


def general_facts(document: DefinitionDocument) -> Iterator[tuple[str, str]]:
    """Servers, sign-in, contact and documentation of the whole API."""
    root = document.root
    document.unshown.check("the document", root, ROOT_FIELDS)
    yield from server_facts(root, document)
    host = words(root.get("host"))
    schemes = ", ".join(map(words, list_of(root.get("schemes"))[:MOST_VALUES]))
    if host or schemes:
        yield "Server", join_texts(host + words(root.get("basePath")), schemes)
    for name, scheme in _schemes(document):
        kind = words(scheme.get("scheme")) or words(scheme.get("type"))
        yield "Signs in with", f"{name} ({kind})" if kind else name
    facts = [
        ("Security", requirement(root.get("security"))),
        *(
            (label, ", ".join(map(words, list_of(root.get(key))[:MOST_VALUES])))
            for label, key in (
                ("Request types", "consumes"),
                ("Response types", "produces"),
            )
        ),
    ]
    yield from ((label, value) for label, value in facts if value)
    yield from info_facts(document)


def info_facts(document: DefinitionDocument) -> Iterator[tuple[str, str]]:
    """Contact, license and documentation, of OpenAPI as of AsyncAPI."""
    root, info = document.root, mapping_of(document.get("info"))
    document.unshown.check("`info`", info, INFO_FIELDS)
    contact, license_ = mapping_of(info.get("contact")), mapping_of(info.get("license"))
    tags = [words(mapping_of(tag).get("name")) for tag in list_of(info.get("tags"))]
    facts = [
        ("Summary", words(info.get("summary"))),
        ("Contact", join_texts(*_texts(contact, "name", "email", "url"))),
        ("License", join_texts(*_texts(license_, "name", "identifier", "url"))),
        ("Terms of service", words(info.get("termsOfService"))),
        ("Documentation", external_docs(root)),
        ("Documentation", external_docs(info)),
        ("Tags", ", ".join(tags[:MOST_VALUES])),
        ("Id", words(root.get("id"))),
        ("Content type", words(root.get("defaultContentType"))),
    ]
    yield from ((label, value) for label, value in facts if value)


def _texts(value: Mapping[str, Any], *keys: str) -> list[str]:
    return list(dict.fromkeys(words(value.get(key)) for key in keys))


def _schemes(
    document: DefinitionDocument,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    components = mapping_of(document.get("components"))
    schemes = components.get("securitySchemes") or document.get("securityDefinitions")
    for name, scheme in document.unshown.first(
        "security schemes", objects(schemes), MOST_SCHEMES
    ):
        yield name, document.follow(scheme)[0]


def security_group(document: DefinitionDocument) -> Group:
    """The ways to sign in, with their addresses and scopes."""
    entries = []
    budget = Budget("scopes", nodes=MOST_SCOPES)
    for name, scheme in _schemes(document):
        document.unshown.check("security schemes", scheme, SCHEME_FIELDS)
        facts = [
            ("Name", words(scheme.get("name"))),
            ("In", words(scheme.get("in"))),
            ("Format", words(scheme.get("bearerFormat"))),
            ("OpenID Connect", words(scheme.get("openIdConnectUrl"))),
            ("Metadata", words(scheme.get("oauth2MetadataUrl"))),
        ]
        flows = list(
            document.unshown.first("flows", objects(scheme.get("flows")), MOST_FLOWS)
        )
        if "flow" in scheme:
            flows.append((words(scheme.get("flow")), scheme))
        entry = DefinitionEntry(
            id=anchor("security", name),
            name=name,
            summary=join_texts(*_texts(scheme, "type", "scheme")),
            about=words(scheme.get("description")),
            deprecated=scheme.get("deprecated") is True,
            parts=[_flow(flow, value, budget) for flow, value in flows],
            facts=[(label, value) for label, value in facts if value],
        )
        entries.append(entry)
    return Group("security", "Security", "", entries)


def _flow(name: str, flow: Mapping[str, Any], budget: Budget) -> DefinitionPart:
    """One way of OAuth to a token; its rows are the scopes."""
    addresses = [
        f"{label}: {words(flow.get(key))}"
        for key, label in ADDRESSES
        if words(flow.get(key))
    ]
    rows: list[DefinitionRow] = []
    try:
        for scope, about in mapping_of(flow.get("scopes")).items():
            budget.pay_nodes()
            rows.append(DefinitionRow(clip(str(scope), 200), about=words(about)))
    except BudgetExceeded:
        rows.append(DefinitionRow("…", about="More scopes; see the raw text."))
    return DefinitionPart(f"Flow: {name}", rows, join_texts(*addresses))

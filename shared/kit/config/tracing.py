"""Where the spans of traces are sent: the configuration's section `tracing`.

OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and its like) say what the
file does not, also where a service is given no file.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from shared.contracts.errors import Invalid
from shared.kit.config.sections import Section, load_config

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
TRACES_PATH = "/v1/traces"


class TracingSection(Section):
    """Spans of traces for an OpenTelemetry collector; off without an `endpoint`."""

    endpoint: str | None = None
    """The collector's OTLP/HTTP address, such as `http://collector:4318`; spans go to
    `/v1/traces` below it."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Headers that the collector asks for, such as `authorization`."""
    ca_file: Path | None = None
    """The certificate of the authority that signed the collector's own."""
    sampling_ratio: float | None = Field(default=None, ge=0, le=1)
    """The share of traces that are recorded, from 0 to 1; all without it. A trace that
    the caller began is recorded if the caller records it."""
    service_name: str = "callboard"
    """What the services' names begin with in traces: `callboard-catalog` and so on."""

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address that begins with http:// or https://")
        if parts.username is not None:
            raise ValueError("must have no user in it; give credentials as `headers`")
        return value


class TracingConfig(Section):
    """The one section of the file that every service reads."""

    tracing: TracingSection = Field(default_factory=TracingSection)


def load_tracing(path: Path, environ: Mapping[str, str]) -> TracingSection:
    """The section of a file, which may be absent; variables of others are not needed.

    Raises:
        Invalid: naming the file or the key, and the rule.
    """
    if not path.is_file():
        return TracingSection()
    return load_config(path, environ, TracingConfig).tracing


def is_tracing(section: TracingSection, environ: Mapping[str, str]) -> bool:
    """Whether spans are to be recorded and sent.

    Raises:
        Invalid: if the environment asks for another protocol than this one.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    if not section.endpoint and not any(environ.get(name) for name in ENDPOINTS):
        return False
    for name in PROTOCOLS:
        if environ.get(name, PROTOCOL) != PROTOCOL:
            raise Invalid(f"{name}: must be {PROTOCOL}, the one protocol that is sent")
    return True


def start_export(
    service: str, path: Path, environ: Mapping[str, str]
) -> Callable[[float], None] | None:
    """Record and send this process' spans, if the file or the environment says so.

    What ends that sends the spans that wait, for at most so many seconds.

    Raises:
        Invalid: naming the key or the variable, and the rule.
    """
    section = load_tracing(path, environ)
    if not is_tracing(section, environ):
        return None
    from shared.kit.observability import exporting  # noqa: PLC0415 - 9 MB

    name = environ.get("OTEL_SERVICE_NAME") or f"{section.service_name}-{service}"
    headers = {
        name: value.get_secret_value() for name, value in section.headers.items()
    }
    collector = exporting.Collector(_traces_url(section), headers, section.ca_file)
    provider = exporting.make_provider(name, section.sampling_ratio)
    exporting.export_spans(provider, collector)
    return partial(exporting.shut_down, provider)


def _traces_url(section: TracingSection) -> str | None:
    if section.endpoint is None:
        return None
    return section.endpoint.rstrip("/").removesuffix(TRACES_PATH) + TRACES_PATH

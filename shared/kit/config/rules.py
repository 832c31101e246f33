"""Rules that values of the configuration keep, as types of its models' fields.

Messages do not have the value, since it may hold a password.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref
from shared.guards.addresses import AddressRule, parse_address, require_no_password

#: As Backstage's for tokens of programs.
TOKEN_LENGTH = 8
_REF = re.compile(r"([A-Za-z]+:)?([-\w]+/)?[-\w.]+", re.ASCII)


def _host_pattern(value: str) -> str:
    try:
        AddressRule(value)
    except Invalid as error:
        raise ValueError(
            "must be a host's name, or *. and a domain, without https:// and a path"
        ) from error
    return value


def _host(value: str) -> str:
    try:
        AddressRule(value)
    except Invalid:
        is_host = False
    else:
        is_host = not value.startswith("*.")
    if not is_host:
        raise ValueError("must be a host's name, without https:// and a path")
    return value


def _web_address(value: str | None) -> str | None:
    if not value:
        return None
    try:
        parse_address(value, users=True)
        require_no_password(value, "")
    except Invalid as error:
        raise ValueError(
            "must be an http:// or https:// address without a password"
        ) from error
    return value


def _service_addresses(value: str) -> str:
    for address in value.split(","):
        if _web_address(address.strip()) is None:
            raise ValueError("must be an http:// or https:// address")
    return value


def _shared_address(value: str) -> str:
    try:
        require_no_password(value, "")
    except Invalid as error:
        raise ValueError(error.message.removeprefix(": ")) from error
    return value


def _user_ref(value: str) -> str:
    if not _REF.fullmatch(value):
        raise ValueError("must be the ref of a user, such as user:default/guest")
    return value


def _owner_ref(value: str) -> str:
    """The full ref, since the policy compares full refs."""
    if value.lower().startswith(("user:", "group:")) and _REF.fullmatch(value):
        return str(parse_ref(value))
    raise ValueError(
        "must be the ref of a group or a user, such as group:default/platform"
    )


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    # A process that does not need the token gets an empty one.
    if token and (len(token) < TOKEN_LENGTH or re.search(r"\s", token)):
        raise ValueError(
            f"must have at least {TOKEN_LENGTH} characters and no white space"
        )
    return value


#: `host[:port]`.
Host = Annotated[str, AfterValidator(_host)]
#: `host[:port]`, or `*.domain` for all hosts below the domain.
HostPattern = Annotated[str, AfterValidator(_host_pattern)]
#: One http(s) address without a password, or several with commas between them.
ServiceAddresses = Annotated[str, AfterValidator(_service_addresses)]
#: An http(s) address without a password; an empty one counts as absent.
WebAddress = Annotated[str | None, AfterValidator(_web_address)]
#: An address that is shown to others: it holds no password.
SharedAddress = Annotated[str, AfterValidator(_shared_address)]
UserRef = Annotated[str, AfterValidator(_user_ref)]
OwnerRef = Annotated[str, AfterValidator(_owner_ref)]
Token = Annotated[SecretStr, AfterValidator(_token)]

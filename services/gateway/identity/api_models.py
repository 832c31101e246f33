"""The responses of sign-in, for the routes and the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.kit.http.models import ResponseModel


class UserIdentity(ResponseModel):
    """The user of a token, with their claims."""

    type: Literal["user"] = "user"
    user_entity_ref: str
    ownership_entity_refs: list[str]


class BackstageIdentity(ResponseModel):
    """A user token and its user."""

    token: str
    identity: UserIdentity
    expires_in_seconds: int


class SignInResponse(ResponseModel):
    """The response of a provider, in Backstage's format."""

    profile: dict[str, str] = Field(default_factory=dict)
    backstage_identity: BackstageIdentity


class UserClaims(BaseModel):
    """The subject of a token and the refs that it owns things by."""

    sub: str
    ent: list[str]


class UserInfo(BaseModel):
    """The response of the user info endpoint."""

    claims: UserClaims


class OpenIdConfiguration(BaseModel):
    """OpenID Connect's discovery document."""

    issuer: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    response_types_supported: list[str] = ["id_token"]
    subject_types_supported: list[str] = ["public"]
    id_token_signing_alg_values_supported: list[str] = ["ES256"]
    scopes_supported: list[str] = ["openid"]
    token_endpoint_auth_methods_supported: list[str] = []
    claims_supported: list[str] = ["sub", "ent"]
    grant_types_supported: list[str] = []


class KeySet(BaseModel):
    """Public keys as JSON Web Keys (RFC 7517)."""

    keys: list[dict[str, str]]


class CookieExpiry(ResponseModel):
    """When the cookie for documentation pages expires (ISO 8601)."""

    expires_at: str

"""Decides whether a request may reach a service, and signs its principal."""

from dataclasses import dataclass

from services.gateway.model import Decision, Identity
from services.gateway.ports import PermissionChecker, Routes
from shared.contracts.errors import Forbidden
from shared.kit.http.service_tokens import Grant, Principal, PrincipalTokens


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """The permission that a request needs, and the signed principal for its service."""

    permission: str
    principal: str


class RequestAdmission:
    """Gets the policy's decisions about a request and signs them for the service."""

    def __init__(
        self, guard: PermissionChecker, routes: Routes, tokens: PrincipalTokens
    ) -> None:
        self._guard = guard
        self._routes = routes
        self._tokens = tokens

    async def admit(
        self, identity: Identity, plugin: str, method: str, path: str
    ) -> AdmittedRequest:
        """Admit a request; `path` is decoded and below the plugin's root.

        Raises:
            Forbidden: if the policy refuses it, or the route is only for services.
            Unavailable: if the policy is.
        """
        need = self._routes.need(plugin, method, path)
        if need.only_services and not (identity.is_service or identity.by_service):
            raise Forbidden("Only services of this installation may do this.")
        decision = await self._guard.decision(identity, need.permission)
        if decision.result == "deny":
            raise Forbidden(decision.reason or f"Not allowed: {need.permission}")
        decisions = {
            name: await self._guard.decision(identity, name) for name in need.also
        }
        principal = Principal(
            subject=identity.subject,
            kind=identity.kind,
            ownership=identity.ownership,
            permission=need.permission,
            decision="allow" if decision.result == "allow" else "conditional",
            conditions=decision.conditions,
            also={name: _grant(decision) for name, decision in decisions.items()},
        )
        return AdmittedRequest(need.permission, self._tokens.sign(principal))


def _grant(decision: Decision) -> Grant:
    return Grant(decision.result, decision.conditions, decision.reason)

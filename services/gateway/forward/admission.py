"""Whether a caller may send a request to a service, and what the service is told."""

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
    """Asks the policy about each request, and signs its answer for the service."""

    def __init__(
        self, guard: PermissionChecker, routes: Routes, tokens: PrincipalTokens
    ) -> None:
        self._guard = guard
        self._routes = routes
        self._tokens = tokens

    async def admit(
        self, identity: Identity, plugin: str, method: str, path: str
    ) -> AdmittedRequest:
        """Let a request in; `path` is decoded, below the plugin's root.

        Raises:
            Forbidden: if the policy says no, or the route is for services alone.
            Unavailable: if the policy cannot be asked.
        """
        need = self._routes.need(plugin, method, path)
        if need.only_services and not (identity.is_service or identity.by_service):
            raise Forbidden("Only services of this installation may do this.")
        decision = await self._guard.decision(identity, need.permission)
        if decision.result == "deny":
            raise Forbidden(decision.reason or f"Not allowed: {need.permission}")
        also = {name: await self._guard.decision(identity, name) for name in need.also}
        principal = Principal(
            subject=identity.subject,
            kind=identity.kind,
            ownership=identity.ownership,
            permission=need.permission,
            decision="allow" if decision.result == "allow" else "conditional",
            conditions=decision.conditions,
            also={name: _grant(each) for name, each in also.items()},
        )
        return AdmittedRequest(need.permission, self._tokens.sign(principal))


def _grant(decision: Decision) -> Grant:
    return Grant(decision.result, decision.conditions, decision.reason)

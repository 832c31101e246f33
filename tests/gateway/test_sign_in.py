"""Signing in over HTTP: guests, users, services, and the cookies they get."""

import httpx
import jwt
import pytest

from services.gateway.assembly import sign_in_rules
from services.gateway.main import create_app
from services.gateway.model import SESSION_COOKIE
from shared.contracts.errors import Invalid
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.gateway.running import (
    SECRET,
    STATIC,
    configuration,
    gateway_app,
    served,
    settings_for,
)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    services, mongodb, kafka, data
) -> None:
    """HttpOnly, SameSite=Lax, and Secure where the portal is on HTTPS."""
    settings = settings_for(services, mongodb=mongodb, kafka=kafka, data=data)
    portal = "https://portal.example"
    app = create_app(settings, config=configuration(backend={"baseUrl": portal}))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=portal) as client:
        response = await client.post("/sign-in/guest", headers={"origin": portal})
    attributes = set(response.headers["set-cookie"].split("; "))
    assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= attributes


async def test_a_guest_signs_in_with_backstages_response(ask) -> None:
    """Backstage's body, by GET and by POST."""
    for answer in (
        await ask.get("/api/auth/guest/refresh"),
        await ask.post("/api/auth/guest/refresh"),
    ):
        identity = answer.json()["backstageIdentity"]
        assert identity["identity"] == {
            "type": "user",
            "userEntityRef": "user:development/guest",
            "ownershipEntityRefs": ["user:development/guest"],
        }
        assert identity["expiresInSeconds"] == 3600


async def test_userinfo_lists_current_groups(ask, sign_in) -> None:
    """The token does not have the groups; they are the catalog's present ones."""
    answer = await ask.get("/api/auth/v1/userinfo", headers=await sign_in("ann"))
    assert answer.json() == {
        "claims": {
            "sub": "user:default/ann",
            "ent": ["user:default/ann", "group:default/box-office"],
        }
    }


async def test_userinfo_requires_a_user_token(ask, robot) -> None:
    """Requests without credentials and those of services answer 401."""
    nobody = await ask.get("/api/auth/v1/userinfo")
    assert nobody.status_code == 401
    assert nobody.json()["error"]["message"] == "No token provided"
    assert nobody.json()["request"]["url"] == "/v1/userinfo"
    service = await ask.get("/api/auth/v1/userinfo", headers=robot)
    assert service.status_code == 401


async def test_the_published_keys_verify_user_tokens(ask, sign_in) -> None:
    """A third party can check a token with the JWKS alone."""
    token = (await sign_in("ann"))["authorization"].removeprefix("Bearer ")
    for path in ("/api/auth/.well-known", "/api/catalog/.backstage/auth/v1"):
        keys = (await ask.get(f"{path}/jwks.json")).json()["keys"]
        kid = jwt.get_unverified_header(token)["kid"]
        key = next(key for key in keys if key["kid"] == kid)
        claims = jwt.decode(token, jwt.PyJWK(key), audience="backstage")
        assert claims["sub"] == "user:default/ann"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/auth/guest/start?env=development", 501),
        ("POST", "/api/auth/guest/logout", 404),
        ("POST", "/api/auth/github/refresh", 404),
        ("GET", "/api/auth/nope/start", 404),
    ],
)
async def test_missing_auth_providers_answer_as_in_backstage(
    ask, method, path, status
) -> None:
    """For the guest provider and for unknown ones."""
    assert (await ask.request(method, path)).status_code == status


@pytest.mark.parametrize(
    "header",
    ["Bearer not-a-token", "Bearer <none>", "Bearer", "Bearer a.b.c", "Basic eDp5"],
)
async def test_bad_credentials_are_refused(ask, header) -> None:
    """401 whatever is wrong with them."""
    answer = await ask.get("/api/catalog/entities", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["name"] == "AuthenticationError"


async def test_a_service_asks_on_behalf_of_a_user(ask) -> None:
    """The user's rights count, not the service's."""
    token = PrincipalTokens(SECRET).sign(Principal("service:scaffolder", "service"))
    headers = {
        "authorization": f"Bearer {token}",
        "callboard-on-behalf-of": "user:default/ann",
    }
    echo = (await ask.get("/api/catalog/entities", headers=headers)).json()
    assert (echo["subject"], echo["kind"]) == ("user:default/ann", "user")
    assert echo["decision"] == "conditional"


async def test_source_rights_are_answered_to_services_only(ask, sign_in, robot) -> None:
    """The response tells a closed source from a missing one."""
    path, body = "/api/catalog/sources/readable", {"locations": []}
    token = PrincipalTokens(SECRET).sign(Principal("service:scaffolder", "service"))
    behalf = {"callboard-on-behalf-of": "user:default/ann"}
    service = {"authorization": f"Bearer {token}", **behalf}
    person = await sign_in("ann")
    credentials = [person, {**person, **behalf}, await sign_in("kim"), service, robot]
    answers = [
        await ask.post(path, headers=headers, json=body) for headers in credentials
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [403, 403, 403, 200, 200]


async def test_a_users_principal_is_no_gateway_credential(ask) -> None:
    """The principal that services get signs nobody in at the gateway."""
    token = PrincipalTokens(SECRET).sign(Principal("user:default/kim", "user"))
    headers = {"authorization": f"Bearer {token}"}
    answer = await ask.get("/api/catalog/entities", headers=headers)
    assert answer.status_code == 401


async def test_a_static_token_may_not_act_on_behalf_of_users(ask, robot) -> None:
    """Only the installation's own services may."""
    headers = {**robot, "callboard-on-behalf-of": "user:default/kim"}
    echo = (await ask.get("/api/catalog/entities", headers=headers)).json()
    assert echo["subject"] == "service:robot"


async def test_the_docs_cookie_opens_documentation_only(ask, sign_in) -> None:
    """It is good for static pages of techdocs and for nothing else."""
    path = "/api/techdocs/.backstage/auth/v1/cookie"
    answer = await ask.get(path, headers=await sign_in("ann"))
    assert set(answer.json()) == {"expiresAt"}
    cookie = answer.headers["set-cookie"].partition(";")[0]
    value = cookie.partition("=")[2]
    docs = "/api/techdocs/static/docs/default/component/web/index.html"
    for path, header, status in (
        (docs, cookie, 200),
        ("/api/techdocs/metadata/techdocs/a/b/c", cookie, 401),
        (docs, f"{SESSION_COOKIE}={value}", 401),
    ):
        ask.cookies.clear()
        response = await ask.get(path, headers={"cookie": header})
        assert response.status_code == status, (path, header)


async def test_deleting_the_docs_cookie_expires_it(ask) -> None:
    """204 with a cookie in the past."""
    answer = await ask.delete("/api/techdocs/.backstage/auth/v1/cookie")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_sign_in_without_a_password_is_for_development() -> None:
    """A production configuration that asks for it is refused with the key's name."""
    with pytest.raises(Invalid, match=r"auth\.developmentSignIn"):
        sign_in_rules(configuration(auth={"developmentSignIn": True}))
    with pytest.raises(Invalid, match=r"auth\.providers.guest"):
        sign_in_rules(configuration(auth={"providers": {"guest": {}}}))
    allowed = {"guest": {"dangerouslyAllowOutsideDevelopment": True}}
    rules = sign_in_rules(configuration(auth={"providers": allowed}))
    assert (rules.guest_ref, rules.development) == ("user:development/guest", False)
    assert sign_in_rules(configuration(auth={})).guest_ref is None


async def test_a_token_of_the_installation_signs_a_browser_in(ask) -> None:
    """A short session of that service opens pages, and no API."""
    answer = await ask.post("/sign-in/token", data={"token": STATIC})
    assert answer.status_code == 303
    assert "Max-Age=3600" in answer.headers["set-cookie"]
    session = answer.cookies[SESSION_COOKIE]
    headers = {"cookie": f"{SESSION_COOKIE}={session}"}
    page = await ask.get("/settings", headers=headers)
    assert page.status_code == 200
    assert "robot" in page.text
    response = await ask.get("/api/auth/v1/userinfo", headers=headers)
    assert response.status_code == 401
    bearer = {"authorization": f"Bearer {session}"}
    assert (await ask.get("/api/auth/v1/userinfo", headers=bearer)).status_code == 401


@pytest.mark.parametrize("token", ["", "guess", SECRET, "a.b.c"])
async def test_only_a_static_token_signs_a_browser_in(ask, token) -> None:
    """No other token counts, whatever else it may prove."""
    answer = await ask.post("/sign-in/token", data={"token": token})
    assert SESSION_COOKIE not in answer.cookies


async def test_an_internal_service_token_signs_no_browser_in(ask) -> None:
    """Tokens between the installation's services are not for browsers."""
    token = PrincipalTokens(SECRET).sign(Principal("service:catalog", "service"))
    answer = await ask.post("/sign-in/token", data={"token": token})
    assert answer.headers["location"].endswith("wrong=token")


async def test_token_sign_in_is_refused_through_a_proxy(ask) -> None:
    """The last address is the proxy's: the browser may be anywhere."""
    headers = {"x-forwarded-for": "192.0.2.7"}
    answer = await ask.post("/sign-in/token", data={"token": STATIC}, headers=headers)
    assert answer.status_code == 403


def test_sign_in_by_token_is_for_development() -> None:
    """Elsewhere even the right token signs no browser in, and old sessions end."""
    assert sign_in_rules(configuration()).token
    production = configuration(auth={"environment": "production"})
    assert not sign_in_rules(production).token


async def test_sign_in_forms_redirect_within_this_site(ask, gateway) -> None:
    """For a guest and a user of the catalog; an unknown name leads back."""
    origin = {"origin": gateway}
    form = {"next": "/graph"}
    entered = await ask.post("/sign-in/guest", data=form, headers=origin)
    assert (entered.status_code, entered.headers["location"]) == (303, "/graph")
    form = {"user": "user:default/ann", "next": "https://evil.example"}
    entered = await ask.post("/sign-in/as", data=form, headers=origin)
    assert entered.headers["location"] == "/"
    assert "HttpOnly" in entered.headers["set-cookie"]
    form = {"user": "user:default/nobody", "next": "/graph"}
    back = await ask.post("/sign-in/as", data=form, headers=origin)
    assert back.headers["location"] == (
        "/sign-in?next=%2Fgraph&text=user%3Adefault/nobody&wrong=user"
    )
    assert "No user with this name" in (await ask.get(back.headers["location"])).text


async def test_the_fields_of_a_sign_in_form_are_limited(ask, gateway) -> None:
    """The reading stops at the limit, and the answer says why."""
    fields = "&".join(f"f{number}=x" for number in range(100_000))
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "origin": gateway,
    }
    answer = await ask.post("/sign-in/as", content=fields, headers=headers)
    assert answer.status_code == 413
    assert "form: at most" in answer.text


async def test_sign_in_options_are_read_without_credentials(ask) -> None:
    """A sign-in page has none yet."""
    ways = (await ask.get("/api/auth/ways")).json()
    assert ways == {"guest": True, "development": True, "token": True}
    listed = (await ask.get("/api/auth/development/users?text=ann")).json()
    assert [user["ref"] for user in listed["items"]] == ["user:default/ann"]
    assert listed["is_empty"] is False
    nobody = (await ask.get("/api/auth/development/users?text=zzz")).json()
    assert nobody == {"items": [], "is_empty": False}


async def test_users_are_listed_for_the_development_sign_in_only(
    services, mongodb, kafka, data
) -> None:
    """In other configurations no user is listed."""
    settings = settings_for(services, mongodb=mongodb, kafka=kafka, data=data)
    config = configuration(auth={"environment": "production"})
    with served(gateway_app(settings, config)) as address:
        answer = httpx.get(f"{address}/api/auth/development/users")
        assert answer.status_code == 404
        assert httpx.get(f"{address}/api/auth/ways").json() == {
            "guest": False,
            "development": False,
            "token": False,
        }

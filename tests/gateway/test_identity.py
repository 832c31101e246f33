"""Keys, tokens, memberships and ended sessions: who a caller is."""

import asyncio
import itertools
import os
import stat
import time
from typing import Any

import jwt
import pytest

from services.gateway.identity.keys import KeyRing
from services.gateway.identity.memberships import (
    HANGING_SECONDS,
    OWNERSHIP_LENGTH,
    OWNERSHIP_REFS,
    PARENT_LEVELS,
    CatalogMemberships,
)
from services.gateway.identity.store import POLL_SECONDS, MongoEndedSessions
from services.gateway.identity.tokens import API, DOCS, SESSION, UserTokens
from shared.contracts.entity import Entity
from shared.contracts.errors import Unauthenticated, Unavailable
from shared.kit.documents import mongo

ISSUER = "http://portal/api/auth"


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(data, clock) -> KeyRing:
    return KeyRing(data, keep_seconds=3600, rotation_seconds=86400, clock=clock)


@pytest.fixture
def user_tokens(keys, clock) -> UserTokens:
    return UserTokens(keys, ISSUER, clock=clock)


class TestKeys:
    def test_keys_survive_a_restart(self, data, keys, clock) -> None:
        """A new process verifies what an earlier one signed."""
        token = UserTokens(keys, ISSUER, clock=clock).issue("user:a/b", "user", API, 60)
        again = KeyRing(data, keep_seconds=3600, rotation_seconds=86400, clock=clock)
        claims = UserTokens(again, ISSUER, clock=clock).read(token, API)
        assert claims.subject == "user:a/b"

    def test_a_due_key_is_replaced_and_still_verifies(
        self, keys, user_tokens, clock
    ) -> None:
        """A token signed just before the change is good until it expires."""
        token = user_tokens.issue("user:a/b", "user", API, 1800)
        clock.now += 86400 - 1000
        late = user_tokens.issue("user:a/b", "user", API, 1800)
        clock.now += 1001
        fresh = keys.signing()
        assert jwt.get_unverified_header(token)["kid"] != fresh.kid
        assert user_tokens.read(late, API).subject == "user:a/b"
        assert {key["kid"] for key in keys.jwks()} >= {fresh.kid}

    def test_an_old_key_is_thrown_away(self, data, keys, clock) -> None:
        """Nothing verifies with a key whose tokens are all over."""
        old = keys.signing().kid
        clock.now += 86400 + 3600
        keys.signing()
        assert keys.find(old) is None
        assert len(list(data.glob("*.pem"))) == 1

    def test_key_files_are_for_their_owner(self, data, keys) -> None:
        """Nobody else on the machine reads a private key."""
        keys.signing()
        modes = {stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()}
        assert modes == {0o600}

    def test_a_key_of_another_gateway_is_read_when_needed(
        self, data, keys, clock
    ) -> None:
        """A key of a second process is read when a token names it."""
        other = KeyRing(data, keep_seconds=3600, rotation_seconds=86400, clock=clock)
        for _ in range(3):
            assert keys.find(other.rotate().kid) is not None

    def test_unknown_key_ids_read_no_key_files(self, data, keys, monkeypatch) -> None:
        """An unknown id only costs a look at the folder's date."""
        keys.signing()
        long_ago = time.time() - 3600
        os.utime(data, (long_ago, long_ago))
        keys.reload()
        monkeypatch.setattr(keys, "reload", lambda: pytest.fail("the folder was read"))
        assert keys.find("guessed") is None


class TestTokens:
    def test_a_token_expires(self, user_tokens, clock) -> None:
        """Also one that was read before."""
        token = user_tokens.issue("user:a/b", "user", API, 60)
        user_tokens.read(token, API)
        clock.now += 60
        with pytest.raises(Unauthenticated, match="expired"):
            user_tokens.read(token, API)

    @pytest.mark.parametrize("audience", [SESSION, DOCS])
    def test_a_token_of_another_kind_is_refused(self, user_tokens, audience) -> None:
        """The token of a cookie is no API token."""
        token = user_tokens.issue("user:a/b", "user", audience, 60)
        with pytest.raises(Unauthenticated):
            user_tokens.read(token, API)

    def test_foreign_tokens_are_refused(self, user_tokens, data, clock) -> None:
        """Another installation's key, or our key with another issuer."""
        elsewhere = KeyRing(data / "other", keep_seconds=60, clock=clock)
        foreign = UserTokens(elsewhere, ISSUER, clock=clock)
        with pytest.raises(Unauthenticated):
            user_tokens.read(foreign.issue("user:a/b", "user", API, 60), API)

    def test_a_token_signed_with_the_public_key_is_refused(
        self, keys, user_tokens
    ) -> None:
        """No algorithm but ours: not `none`, not a symmetric one."""
        kid = keys.signing().kid
        claims = {"sub": "user:a/b", "aud": API, "iss": ISSUER, "exp": 9e9, "iat": 1}
        for algorithm, secret in (("none", None), ("HS256", "x" * 32)):
            forged = jwt.encode(claims, secret, algorithm, headers={"kid": kid})
            with pytest.raises(Unauthenticated):
                user_tokens.read(forged, API)


class Groups:
    """The catalog as far as memberships ask it."""

    def __init__(self) -> None:
        self.direct: list[str] = ["group:default/a"]
        self.above: dict[str, list[str]] = {}
        self.files: dict[str, str] = {}
        self.children: dict[str, list[str]] = {}
        self.requests = 0
        self.away = False
        self.hangs = False

    async def entity(self, _: str) -> Any:
        self.requests += 1
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise Unavailable("away")
        relations = [{"type": "memberOf", "targetRef": name} for name in self.direct]
        relations.append({"type": "ownerOf", "targetRef": "x:y/z"})
        return Entity({"relations": relations})

    async def groups(self, refs: Any) -> Any:
        return [Entity(self.group(ref)) for ref in refs]

    def group(self, ref: str) -> Any:
        file = self.files.get(ref, "url:https://git.example/org")
        return {
            "metadata": {
                "annotations": {
                    # One registration may lead to the files of many teams.
                    "backstage.io/managed-by-origin-location": "url:https://x/all",
                    "backstage.io/managed-by-location": file,
                }
            },
            "spec": {"children": self.children.get(ref, [])},
            "relations": [
                {"type": "childOf", "targetRef": up} for up in self.above.get(ref, ())
            ],
        }

    async def apply_conditions(self, *_: Any) -> list[bool]:
        return []


class TestMemberships:
    async def test_ownership_is_the_user_and_their_groups(self) -> None:
        """The `memberOf` relations, nothing else."""
        refs = await CatalogMemberships(Groups()).ownership("user:default/ann")
        assert refs == ("user:default/ann", "group:default/a")

    async def test_parent_groups_belong_to_the_ownership(self) -> None:
        """The nearest first, each once, and cycles are followed once."""
        groups = Groups()
        groups.above = {
            "group:default/a": ["group:default/tribe", "group:default/guild"],
            "group:default/tribe": ["group:default/all"],
            "group:default/guild": ["group:default/all", "system:default/x"],
            "group:default/all": ["group:default/a", "group:default/all"],
        }
        refs = await CatalogMemberships(groups).ownership("user:d/a")
        names = [ref.rpartition("/")[2] for ref in refs]
        assert names == ["a", "a", "guild", "tribe", "all"]

    async def test_a_parent_group_must_name_its_child(self) -> None:
        """A group cannot join another one by naming it as its parent."""
        groups = Groups()
        groups.above = {"group:default/a": ["group:default/tribe"]}
        groups.files = {"group:default/a": "url:https://git.example/a-strangers"}
        refs = await CatalogMemberships(groups).ownership("user:d/a")
        assert refs == ("user:d/a", "group:default/a")

    @pytest.mark.parametrize("child", ["A", "default/a", "group:default/a"])
    async def test_a_group_is_the_parent_of_the_children_it_names(self, child) -> None:
        """In every spelling of the refs, and from any location."""
        groups = Groups()
        groups.above = {"group:default/a": ["group:default/tribe"]}
        groups.files = {"group:default/a": "url:https://git.example/elsewhere"}
        groups.children = {"group:default/tribe": ["", "x:", child]}
        refs = await CatalogMemberships(groups).ownership("user:d/a")
        assert refs == ("user:d/a", "group:default/a", "group:default/tribe")

    async def test_parent_groups_can_be_excluded_by_configuration(
        self,
    ) -> None:
        """As in Backstage, only direct groups count then."""
        groups = Groups()
        groups.above = {"group:default/a": ["group:default/tribe"]}
        memberships = CatalogMemberships(groups, parent_groups=False)
        refs = await memberships.ownership("user:d/a")
        assert refs == ("user:d/a", "group:default/a")

    async def test_the_depth_of_parent_groups_is_limited(self) -> None:
        """One request to the catalog for each level, up to a limit."""
        groups = Groups()
        names = ["a", *(f"g{n}" for n in range(50))]
        refs = [f"group:default/{name}" for name in names]
        groups.above = {low: [high] for low, high in itertools.pairwise(refs)}
        ownership = await CatalogMemberships(groups).ownership("user:d/a")
        assert ownership == ("user:d/a", *refs[: PARENT_LEVELS + 1])

    @pytest.mark.parametrize("length", [1, 60])
    async def test_a_token_of_many_parent_groups_stays_small(self, length: int) -> None:
        """In number and in characters; the direct groups all stay."""
        groups = Groups()
        above = [f"group:default/{'x' * length}{n}" for n in range(3000)]
        groups.above = {"group:default/a": above}
        refs = await CatalogMemberships(groups).ownership("user:d/a")
        assert refs[:2] == ("user:d/a", "group:default/a")
        assert 20 < len(refs) <= OWNERSHIP_REFS
        assert sum(map(len, refs)) <= OWNERSHIP_LENGTH

    async def test_a_changed_parent_group_takes_effect_at_once(self) -> None:
        """A change of a parent clears the cache like any group's change."""
        groups = Groups()
        memberships = CatalogMemberships(groups)
        await memberships.ownership("user:d/a")
        groups.above = {"group:default/a": ["group:default/tribe"]}
        memberships.forget("group:default/a")
        assert "group:default/tribe" in await memberships.ownership("user:d/a")

    async def test_concurrent_membership_queries_are_merged(self) -> None:
        """A busy page costs the catalog one request."""
        groups = Groups()
        memberships = CatalogMemberships(groups)
        await asyncio.gather(*(memberships.ownership("user:d/a") for _ in range(20)))
        await memberships.ownership("user:d/a")
        assert groups.requests == 1

    @pytest.mark.parametrize("changed", ["user:d/a", "group:default/b"])
    async def test_a_changed_membership_takes_effect_at_once(self, changed) -> None:
        """A changed user or group is requested again."""
        groups = Groups()
        memberships = CatalogMemberships(groups)
        await memberships.ownership("user:d/a")
        groups.direct.append("group:default/b")
        memberships.forget(changed)
        assert "group:default/b" in await memberships.ownership("user:d/a")

    async def test_memberships_are_read_again_after_a_gap_in_the_log(self) -> None:
        """Changes may have been missed."""
        groups = Groups()
        memberships = CatalogMemberships(groups)
        await memberships.ownership("user:d/a")
        memberships.forget_all()
        await memberships.ownership("user:d/a")
        assert groups.requests == 2

    async def test_changes_of_components_keep_cached_memberships(self) -> None:
        """Only users and groups matter here."""
        groups = Groups()
        memberships = CatalogMemberships(groups)
        await memberships.ownership("user:d/a")
        memberships.forget("component:default/web")
        await memberships.ownership("user:d/a")
        assert groups.requests == 1

    async def test_a_membership_older_than_a_change_is_not_cached(self) -> None:
        """The change came while the catalog was queried."""
        groups = Groups()
        memberships = CatalogMemberships(groups)
        asking = asyncio.create_task(memberships.ownership("user:d/a"))
        while not groups.requests:
            await asyncio.sleep(0)
        memberships.forget("group:default/a")
        await asking
        await memberships.ownership("user:d/a")
        assert groups.requests == 2

    async def test_cached_memberships_apply_while_the_catalog_is_away(self) -> None:
        """Known users keep their groups; unknown users have none."""
        groups, clock = Groups(), Clock(0)
        memberships = CatalogMemberships(groups, clock=clock)
        ownership = await memberships.ownership("user:d/a")
        groups.away = True
        clock.now = 1000
        assert await memberships.ownership("user:d/a") == ownership
        assert await memberships.ownership("user:d/b") == ("user:d/b",)

    async def test_a_catalog_that_hangs_holds_up_a_reader_once(self) -> None:
        """Then the memberships before it hung apply, until it is tried again."""
        groups, clock = Groups(), Clock(0)
        memberships = CatalogMemberships(groups, clock=clock, lookup_seconds=0.01)
        ownership = await memberships.ownership("user:d/a")
        groups.hangs = True
        clock.now = 1000
        requests = groups.requests
        for _ in range(5):
            assert await memberships.ownership("user:d/a") == ownership
        assert groups.requests == requests + 1
        groups.hangs = False
        clock.now += HANGING_SECONDS
        assert await memberships.ownership("user:d/a") == ownership
        assert groups.requests > requests + 1


class TestEndedSessions:
    async def test_an_ended_session_stays_ended(self, database) -> None:
        """Also for the next process, until the session would have expired."""
        clock = Clock(1000)
        store = MongoEndedSessions(database["ended"], clock=clock)
        await store.end("one", 2000)
        await store.end("two", 1500)
        clock.now = 1600
        later = MongoEndedSessions(database["ended"], clock=clock)
        await later.load()
        assert await later.ended("one")
        assert not await later.ended("two")

    async def test_another_gateway_learns_of_an_ended_session(self, database) -> None:
        """At most a second later, without a message between them."""
        clock = Clock(1000)
        one = MongoEndedSessions(database["ended"], clock=clock)
        other = MongoEndedSessions(database["ended"], clock=clock)
        await one.load()
        await other.load()
        assert not await other.ended("late")
        await one.end("late", 5000)
        clock.now += POLL_SECONDS
        assert await other.ended("late")

    async def test_sessions_are_checked_without_an_unavailable_store(self) -> None:
        """Meanwhile the ended sessions in memory count."""
        client = mongo.connect("mongodb://127.0.0.1:9")
        store = MongoEndedSessions(client["gateway"]["ended"])
        start = time.monotonic()
        assert not await store.ended("one")
        assert time.monotonic() - start < 10
        client.close()

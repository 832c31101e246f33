"""The fixtures that every suite on real servers begins with."""

import ssl
import urllib.error
import urllib.request
from base64 import b64encode

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.engines.kafka import settings
from shared.contracts.topics import TOPICS
from shared.kit.config.servers import Server


def test_the_event_log_has_the_topics(servers: None, kafka: str) -> None:
    """Tests find the topics that the services need."""
    metadata = AdminClient(settings(Server(kafka))).list_topics(timeout=10)
    assert set(TOPICS) <= metadata.topics.keys()


def test_the_document_store_reports_a_supported_version(
    servers: None, mongodb: str
) -> None:
    """Current drivers accept it as a MongoDB."""
    client: MongoClient[dict[str, object]] = MongoClient(mongodb)
    assert client["admin"].command("hello")["isWritablePrimary"] is True
    client["test"]["things"].insert_one({"_id": 1})
    assert client["test"]["things"].find_one() == {"_id": 1}
    client.close()


def test_a_secured_event_log_requires_its_password(secured_kafka: Server) -> None:
    """Another password, or none, is refused."""
    assert AdminClient(settings(secured_kafka)).list_topics(timeout=10).brokers
    wrong = Server(secured_kafka.address, "callboard", "wrong", secured_kafka.ca)
    for refused in (wrong, Server(secured_kafka.address)):
        with pytest.raises(KafkaException):
            AdminClient(settings(refused)).list_topics(timeout=2)


@pytest.mark.parametrize("password", ["right", "wrong", None])
def test_a_secured_document_store_requires_its_password(
    secured_mongodb: Server, password: str | None
) -> None:
    """Another password, or none, is refused."""
    options = {"tls": True, "tlsCAFile": str(secured_mongodb.ca)}
    if password:
        right = password == "right"
        options |= {
            "username": secured_mongodb.user,
            "password": secured_mongodb.password if right else "wrong",
        }
    client: MongoClient[dict[str, object]] = MongoClient(
        secured_mongodb.address, serverSelectionTimeoutMS=5000, **options
    )
    if password == "right":
        assert client["test"]["things"].insert_one({"a": 1}).acknowledged
    else:
        with pytest.raises(OperationFailure):
            client["test"]["things"].find_one()
    client.close()


def test_a_secured_document_store_requires_tls(secured_mongodb: Server) -> None:
    """A plain connection gets nothing."""
    client: MongoClient[dict[str, object]] = MongoClient(
        secured_mongodb.address, serverSelectionTimeoutMS=1000
    )
    with pytest.raises(PyMongoError):
        client["test"]["things"].find_one()
    client.close()


def asked(server: Server, path: str, authorization: str | None = None) -> int:
    """The status of an answer."""
    request = urllib.request.Request(f"{server.address}{path}")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(
            request, timeout=10, context=server.context()
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_an_index_server_answers_without_credentials(opensearch: Server) -> None:
    """The plain server for tests asks for no user and no password."""
    assert asked(opensearch, "/_cat/indices") == 200


def test_a_secured_index_server_requires_its_password(
    secured_opensearch: Server,
) -> None:
    """Another password, or none, is refused."""
    pair = f"{secured_opensearch.user}:{secured_opensearch.password}".encode()
    assert asked(secured_opensearch, "/", f"Basic {b64encode(pair).decode()}") == 200
    wrong = b64encode(b"callboard:wrong").decode()
    assert asked(secured_opensearch, "/", f"Basic {wrong}") == 401
    assert asked(secured_opensearch, "/") == 401


def test_a_policy_server_has_the_policies(opa: str) -> None:
    """The files of deploy/policies are loaded, their tests are not."""
    assert asked(Server(opa), "/v1/policies") == 200


def test_a_secured_policy_server_requires_its_token(secured_opa: Server) -> None:
    """Another token, or none, is refused; health is open."""
    path = "/v1/data/callboard"
    assert asked(secured_opa, path, f"Bearer {secured_opa.password}") == 200
    assert asked(secured_opa, path, "Bearer wrong") == 401
    assert asked(secured_opa, path) == 401
    assert asked(secured_opa, "/health") == 200


def test_a_certificate_of_another_authority_is_refused(secured_opa: Server) -> None:
    """Only the authority that was created for the server is trusted."""
    stranger = Server(secured_opa.address)
    with pytest.raises(urllib.error.URLError) as failed:
        asked(stranger, "/health")
    assert isinstance(failed.value.reason, ssl.SSLCertVerificationError)

"""What Kafka is formatted with."""

import base64

from deploy.engines.kafka import new_cluster_id


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    """One in 64 ids began with `-`, and the log's folder could not be formatted."""
    made = [new_cluster_id() for _ in range(2000)]
    assert not [one for one in made if one.startswith("-")]
    assert len(set(made)) == len(made)
    assert all(len(base64.urlsafe_b64decode(one + "==")) == 16 for one in made)

"""What Kafka is formatted with."""

import base64

from deploy.engines.kafka import new_cluster_id


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    """One in 64 ids began with `-`, and the log's folder could not be formatted."""
    cluster_ids = [new_cluster_id() for _ in range(2000)]
    assert not [one for one in cluster_ids if one.startswith("-")]
    assert len(set(cluster_ids)) == len(cluster_ids)
    assert all(len(base64.urlsafe_b64decode(one + "==")) == 16 for one in cluster_ids)

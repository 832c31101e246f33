package callboard.authz_test

import rego.v1

import data.callboard.authz

ann := {
	"subject": "user:default/ann",
	"kind": "user",
	"ownership": ["user:default/ann", "group:default/box-office"],
	"enabled": true,
	"platform_team": ["group:default/platform"],
}

visitor := object.union(ann, {
	"subject": "user:development/guest",
	"kind": "guest",
	"ownership": ["user:development/guest"],
})

keeper := object.union(ann, {"ownership": ["user:default/ann", "group:default/platform"]})

robot := object.union(ann, {"subject": "service:search", "kind": "service", "ownership": []})

asks(who, permission) := authz.decide(object.union(who, {"permission": permission}))

result(who, permission) := outcome if {
	found := asks(who, permission)
	outcome := found.result
}

hidden := {
	"rule": "HAS_ANNOTATION",
	"resourceType": "catalog-entity",
	"params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
}

owned_by(claims) := {
	"rule": "IS_ENTITY_OWNER",
	"resourceType": "catalog-entity",
	"params": {"claims": claims},
}

test_user_reads_all_but_restricted if {
	asks(ann, "catalog.entity.read") == {
		"result": "conditional",
		"conditions": {"anyOf": [{"not": hidden}, owned_by(ann.ownership)]},
	}
}

test_guest_reads_as_user if {
	asks(visitor, "catalog.entity.read") == {
		"result": "conditional",
		"conditions": {"anyOf": [{"not": hidden}, owned_by(visitor.ownership)]},
	}
}

test_platform_team_reads_everything if {
	result(keeper, "catalog.entity.read") == "allow"
}

test_template_form_is_read_as_its_entity if {
	asks(ann, "scaffolder.template.parameter.read") == asks(ann, "catalog.entity.read")
}

test_source_is_read_as_the_entities_that_come_from_it if {
	asks(ann, "callboard.source.read") == asks(ann, "catalog.entity.read")
	result(keeper, "callboard.source.read") == "allow"
	result(robot, "callboard.source.read") == "allow"
}

test_users_look_into_sources_that_nothing_comes_from if {
	result(ann, "callboard.source.explore") == "allow"
	result(visitor, "callboard.source.explore") == "deny"
}

test_user_registers_and_runs if {
	every permission in {"catalog.location.create", "catalog.entity.validate", "scaffolder.task.create"} {
		result(ann, permission) == "allow"
	}
}

test_guest_changes_nothing if {
	every permission in {
		"catalog.location.create",
		"catalog.location.delete",
		"catalog.entity.delete",
		"catalog.entity.refresh",
		"scaffolder.task.create",
		"scaffolder.template.dry-run",
	} {
		result(visitor, permission) == "deny"
	}
}

test_owner_deletes_and_refreshes if {
	every permission in {"catalog.entity.delete", "catalog.entity.refresh", "catalog.location.delete"} {
		asks(ann, permission) == {"result": "conditional", "conditions": owned_by(ann.ownership)}
	}
}

test_platform_team_deletes_anything if {
	result(keeper, "catalog.entity.delete") == "allow"
}

test_platform_team_is_about_people_not_guests if {
	result(object.union(keeper, {"kind": "guest"}), "catalog.entity.delete") == "deny"
}

test_own_runs_only if {
	found := asks(ann, "scaffolder.task.read")
	found.conditions.params.createdBy == ["user:default/ann"]
}

test_platform_team_reads_all_runs if {
	result(keeper, "scaffolder.task.read") == "allow"
}

test_everybody_reads_locations if {
	result(visitor, "catalog.location.read") == "allow"
}

test_rebuild_is_the_platform_teams if {
	result(ann, "callboard.search.rebuild") == "deny"
	result(keeper, "callboard.search.rebuild") == "allow"
}

test_snapshots_are_for_services if {
	result(keeper, "callboard.snapshot.read") == "deny"
	result(robot, "callboard.snapshot.read") == "allow"
}

test_service_may_do_everything if {
	result(robot, "nobody.knows.this") == "allow"
}

test_unknown_permission_is_refused_with_a_reason if {
	found := asks(keeper, "nobody.knows.this")
	found.result == "deny"
	found.reason != ""
}

test_switched_off_allows_everybody if {
	result(object.union(visitor, {"enabled": false}), "catalog.entity.delete") == "allow"
}

test_no_platform_team_configured if {
	result(object.union(keeper, {"platform_team": []}), "callboard.search.rebuild") == "deny"
}

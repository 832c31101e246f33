# Who may do what. The gateway asks one question a request:
#   data.callboard.authz.decision, with
#   input.subject     the caller's canonical ref
#   input.kind        "user", "guest" (nobody in particular) or "service"
#   input.ownership   the refs that count as the caller's own: themselves, their groups
#   input.permission  what they want to do, in Backstage's words
#   input.enabled     false: permissions are switched off, everybody may do everything
#   input.platform_team  refs of the groups that run the portal
# The answer has `result`: "allow", "deny" (with `reason`) or "conditional" (with
# `conditions`, Backstage's criteria, that the owning service puts into its query).
#
# Rules are functions of the question, so that a test can ask one without replacing the
# input: regopy cannot evaluate `with input` over rules that depend on other rules.
package callboard.authz

import rego.v1

decision := decide(input)

# The first that holds decides: the order is the policy.
decide(question) := {"result": "allow"} if {
	unlimited(question)
} else := {"result": "deny", "reason": "Only services of this installation may do this."} if {
	question.permission in service_only
} else := {"result": "allow"} if {
	question.permission in open_to_readers
} else := readable(question) if {
	question.permission in about_readable_entities
} else := {"result": "allow"} if {
	platform_member(question)
	question.permission in changes
} else := {"result": "deny", "reason": "Guests may read. Sign in as a user to do this."} if {
	question.kind == "guest"
	question.permission in changes_of_users
} else := {"result": "allow"} if {
	question.kind == "user"
	question.permission in for_users
} else := {"result": "conditional", "conditions": owned(question)} if {
	question.kind == "user"
	question.permission in about_owned_entities
} else := {"result": "conditional", "conditions": own_task(question)} if {
	question.permission in about_own_tasks
} else := {"result": "deny", "reason": "Only the platform team may do this."} if {
	question.permission in kept_by_platform_team
} else := {"result": "deny", "reason": "No rule of the policy allows this."}

unlimited(question) if question.enabled == false

unlimited(question) if question.kind == "service"

platform_member(question) if {
	question.kind == "user"
	some ref in question.ownership
	ref in question.platform_team
}

service_only := {"callboard.internal.read", "callboard.snapshot.read"}

open_to_readers := {
	"catalog.location.read",
	"scaffolder.action.read",
}

# What a reader may see of the catalog, and of whatever hangs on an entity.
about_readable_entities := {
	"catalog.entity.read",
	# A source is readable where an entity that comes from it is.
	"callboard.source.read",
	"scaffolder.template.parameter.read",
	"scaffolder.template.step.read",
}

for_users := {
	# Reading a source that nothing in the catalog comes from: to register it, or
	# because a template of the catalog says so.
	"callboard.source.explore",
	"catalog.location.create",
	"catalog.location.analyze",
	"catalog.entity.create",
	"catalog.entity.validate",
	"scaffolder.action.execute",
	"scaffolder.task.create",
	"scaffolder.template.dry-run",
}

about_owned_entities := {
	"catalog.entity.delete",
	"catalog.entity.refresh",
	"catalog.location.delete",
}

about_own_tasks := {
	"scaffolder.task.cancel",
	"scaffolder.task.read",
}

kept_by_platform_team := {
	"callboard.search.rebuild",
	"catalog.ingestion.manage",
	"catalog.ingestion.read",
	"scaffolder.template.management",
}

changes_of_users := (for_users | about_owned_entities) | kept_by_platform_team

changes := changes_of_users | about_own_tasks

readable(question) := {"result": "allow"} if {
	platform_member(question)
} else := {"result": "conditional", "conditions": {"anyOf": [
	{"not": {
		"rule": "HAS_ANNOTATION",
		"resourceType": "catalog-entity",
		"params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
	}},
	owned(question),
]}}

owned(question) := {
	"rule": "IS_ENTITY_OWNER",
	"resourceType": "catalog-entity",
	"params": {"claims": question.ownership},
}

own_task(question) := {
	"rule": "IS_TASK_OWNER",
	"resourceType": "scaffolder-task",
	"params": {"createdBy": [question.subject]},
}

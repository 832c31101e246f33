"""Annotations that several services read (Backstage: "Well-known Annotations")."""

#: The location that an entity was read from, and the registered location above it.
MANAGED_BY_LOCATION = "backstage.io/managed-by-location"
MANAGED_BY_ORIGIN = "backstage.io/managed-by-origin-location"
#: The folder of an entity's source code.
SOURCE_LOCATION = "backstage.io/source-location"
#: The template that an entity was made from.
SOURCE_TEMPLATE = "backstage.io/source-template"
VIEW_URL = "backstage.io/view-url"
EDIT_URL = "backstage.io/edit-url"
#: "true" if no location provides the entity any more.
ORPHAN = "backstage.io/orphan"
#: The folder with documentation, or the entity whose documentation it shows.
TECHDOCS_REF = "backstage.io/techdocs-ref"
TECHDOCS_ENTITY = "backstage.io/techdocs-entity"
#: Callboard's own: RESTRICTED hides an entity from all but its owners.
VISIBILITY = "callboard.dev/visibility"
RESTRICTED = "restricted"
PUBLIC = "public"

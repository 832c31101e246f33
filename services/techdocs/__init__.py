"""Techdocs owns built documentation sites.

It consumes `entity-changed` (which entities are documented) and `git-push` (whose docs
changed), and publishes `docs-built`: a site was built, a build failed, or (built, with
`site` null) an entity has no docs any more. Sites are in `DATA/sites/objects/<hash of
the sources>`; one MongoDB document per entity has its current site and what is due.

Stable routes for the portal (all need the reader's principal; what the reader may not
see is 404; paths are below `/api/techdocs`):

`GET /sites?limit=100` -> `{items: [state + entity_title, description, owner, type]}`,
the latest built first, then those whose first build failed or is due; of warnings the
first five.

`POST /sites/by-refs` with `{entityRefs}` (500 at most) -> `{items}`: the states of
these entities' own sites in their order, null where there is none.

`GET /sites/failed?limit=20` -> `{items: [state], total, is_cut}`: those whose latest
build failed, the last first; `is_cut` where only the latest 200 were read.

`GET /sites/{namespace}/{kind}/{name}` -> a state, and `docs_of` (the requested ref;
`entity_ref` differs when `backstage.io/techdocs-entity` points elsewhere), then
`description`, `nav: [{title, path, children, href?}]` (`path` null for sections and
for links and files, which have `href`), `pages: [{path, title, edit_url}]`, `log`
(lines of the failed build).

A state is `{entity_ref, status, title, site, commit, repository, repository_url,
built_at, page_count, warnings, error, failed_at, failed_commit}`. `status` is `built`,
`failed` (`error` says why; `site` is the last good one or null), `building` (the first
build is due) or `none`.

`GET /pages/{namespace}/{kind}/{name}/{path}` -> `{path, anchor, title, html, toc: [{id,
title, level}], previous, next: {path, title} or null, edit_url, commit, built_at, site,
site_title, entity_ref}`. Paths are decoded. The first page's path is empty; where no
page has that path, the first page of the navigation is answered, with its own `path`.
So is the page that the plugin `redirects` names for the path; `anchor` is the heading.
`guide`, `guide/` and `guide/index.html` are one page. `html` is the article only,
cleaned by a list of allowed HTML; links to pages lead to
`/docs/{namespace}/{kind}/{name}/{path}/`, pictures and files to
`/api/techdocs/assets/{namespace}/{kind}/{name}/{file}` (`HEAD` says whether one is
there), files of HTML to `/static/docs`, and names that are neither to the site.

For search, services only: `GET /snapshot?ref=REF` (JSON lines `{ref, site, commit,
title, sections: [{path, title, text}]}`), `GET /snapshot/checksum` -> `{count,
checksum}` over `ref@site`.

Backstage's own: `/metadata/techdocs`, `/metadata/entity`, `/sync` (server-sent events),
`/static/docs`.
"""

#: What the command line may use.
__all__ = ["allowed_plugins", "configuration"]

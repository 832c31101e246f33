"""Names of the HTTP headers that services and their clients agree on, in lower case."""

#: Who asks, signed by the gateway for the services behind it.
PRINCIPAL = "callboard-principal"
#: For whom a service asks the public API.
ON_BEHALF_OF = "callboard-on-behalf-of"
#: The catalog's revision that an answer shows, and the one that it must show at least.
REVISION, AT_LEAST = "callboard-revision", "callboard-at-least"
#: Seconds since the documents' engine was last there: the answer may be behind.
STALE = "callboard-stale"
#: On a refusal: nothing of the request was done, so another replica may be asked.
UNTOUCHED = "callboard-untouched"
#: By which a caller finds a request in every service's log.
REQUEST_ID = "x-request-id"
#: An answer is what its media type says, whatever it looks like.
NOSNIFF = {"x-content-type-options": "nosniff"}
#: To the front end: where the event stream stands when a page is asked for. A page that
#: listens from there misses no change of what it shows.
POSITION = "callboard-position"
#: To the front end: the client's address and the digest of a reader's sign-in, with a
#: space between them. Many guests have one subject; this tells them apart.
CLIENT = "callboard-client"

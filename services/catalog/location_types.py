"""The types of locations that the catalog reads, and advice for others of Backstage."""

LOCATION_TYPES = ("url", "file")
#: What does here what a location of Backstage's modules does, by the type's ending.
_ADVICE = {
    "-discovery": "catalog.providers.git finds the descriptors of repositories",
    "-org": "a file of User and Group entities describes the organisation",
    "bootstrap": "register what it stands for as locations of their own",
    "/api": "use the type url",
    "github": "use the type url",
    "gitlab": "use the type url",
}


def unread_type(location_type: str) -> str:
    """Why a location of this type is not read, and what to use instead."""
    advice = next(
        (text for end, text in _ADVICE.items() if location_type.lower().endswith(end)),
        f"use {' or '.join(LOCATION_TYPES)}",
    )
    return f"{location_type[:100]!r} is no type of location that is read; {advice}"

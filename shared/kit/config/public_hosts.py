"""The public hosts of the types of Git hosts that have one."""

from typing import Final

GITHUB: Final = "github.com"
GITLAB: Final = "gitlab.com"
BITBUCKET_CLOUD: Final = "bitbucket.org"
AZURE: Final = "dev.azure.com"
#: The end of the older host names of Azure DevOps, which begin with an organisation.
VISUAL_STUDIO: Final = ".visualstudio.com"
#: The type of each, as `integrations` calls it.
TYPES: Final = {
    GITHUB: "github",
    GITLAB: "gitlab",
    BITBUCKET_CLOUD: "bitbucketCloud",
    AZURE: "azure",
}

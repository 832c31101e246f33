"""May this subject do this? One question a request, answered by the Rego files."""

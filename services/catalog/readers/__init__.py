"""Adapters of the `DescriptorSources` port: files, Git repositories, plain HTTP."""

"""Descriptors: the YAML dialect, the rules of the envelope and of the nine kinds.

Pure: text in, entities and relations out; where the text comes from is not known here.
"""

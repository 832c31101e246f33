"""From a source's text to candidates: placeholders, rules, annotations, differences.

Pure, but for the `SourceSnapshot` it is handed: `handlers` decide what is stored.
"""

"""From a source's text to candidates: placeholders, rules, annotations, differences.

Pure, but for the `Reading` it is handed; what is stored is decided in `handlers`.
"""

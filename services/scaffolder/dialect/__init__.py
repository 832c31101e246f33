"""The template language of `${{ }}` expressions and skeleton files.

Jinja2's parser and syntax tree with a lexer and an evaluator of our own, so that it
speaks Nunjucks' dialect (JavaScript truth, equality, text and methods) and so that a
template can reach nothing but the JSON values it is given. Not about files or steps:
those are `skeleton` and `running`.
"""

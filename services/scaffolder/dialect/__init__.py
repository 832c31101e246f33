"""The template language of `${{ }}` expressions and skeleton files.

An interpreter of its own (ADR 8): Jinja2's parser and syntax tree, with another lexer
and evaluator. It reads Nunjucks' dialect (JavaScript's truth, equality, texts and
methods), and a template can reach nothing but the JSON values that it is given. Files
are rendered by `workspace.skeleton`, steps by `runs`.
"""

"""Forms made from templates' parameters: JSON Schema with Backstage's hints.

Pure: schema and answers in, fields and errors out. Nothing here asks the catalog; a
field that offers entities says which, and the page looks them up.
"""

"""The picture of relations between entities: nodes, edges, layers, clusters.

Pure: it turns entities into coordinates, which a template draws as SVG.
"""

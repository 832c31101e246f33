"""The picture of how entities hang together: nodes, edges, layers, clusters.

Pure: it is given entities and gives coordinates; a template draws them as SVG.
"""

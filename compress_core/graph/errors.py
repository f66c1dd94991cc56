"""Why a model has no graph."""


class GraphError(ValueError):
    """A model has no ONNX graph, or not one in which every compressed weight can be found."""

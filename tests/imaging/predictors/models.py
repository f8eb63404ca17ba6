"""Small real ONNX models whose answers are known, and files that only look like models.

Each function returns the bytes of a file. A model sees pictures of 0–1 unless settings say
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COLOURS = ("red", "green", "blue")
Shape = Sequence[int | str | None]

#: Vertical edges, from left to right: what is right of a pixel less what is left of it.
EDGES = np.array([[-1, 0, 1]] * 3, np.float32)


def model(
    nodes: Sequence[Any],
    weights: dict[str, np.ndarray] | None = None,
    *,
    inputs: dict[str, Shape] | None = None,
    output: Shape | None = ("N", 3),
    input_type: int = TensorProto.FLOAT,
    output_type: int = TensorProto.FLOAT,
    version: int | None = None,
) -> onnx.ModelProto:
    """A model from x (and further inputs) to y."""
    given = {"x": ("N", 3, "H", "W")} if inputs is None else inputs
    graph = helper.make_graph(
        nodes,
        "made for a test",
        [helper.make_tensor_value_info(name, input_type, shape) for name, shape in given.items()],
        [helper.make_tensor_value_info("y", output_type, output)],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if version is not None:
        made.model_version = version
    return made


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """One step of a graph; `inputs` are names with spaces between."""
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def colours(
    shape: Shape = ("N", 3, "H", "W"),
    *,
    softmax: bool = False,
    squeezed: bool = True,
    weights: np.ndarray | None = None,
    version: int | None = None,
) -> bytes:
    """The mean of each channel: the scores of red, green and blue; NHWC by its shape.

    Not squeezed, the output is (N, 3, 1, 1). With weights (3, C) there are C scores.
    """
    nodes, source = [], "x"
    if shape[1] != 3:
        nodes.append(node("Transpose", "x", "nchw", perm=[0, 3, 1, 2]))
        source = "nchw"
    if not squeezed:
        nodes.append(node("GlobalAveragePool", source, "y"))
        return model(nodes, inputs={"x": shape}, output=(shape[0], 3, 1, 1)).SerializeToString()
    matrix = np.eye(3, dtype=np.float32) if weights is None else weights.astype(np.float32)
    scores = "logits" if softmax else "y"
    nodes += [
        node("GlobalAveragePool", source, "pooled"),
        node("Flatten", "pooled", "means", axis=1),
        node("MatMul", "means matrix", scores),
    ]
    if softmax:
        nodes.append(node("Softmax", "logits", "y", axis=1))
    return model(
        nodes,
        {"matrix": matrix},
        inputs={"x": shape},
        output=(shape[0], matrix.shape[1]),
        version=version,
    ).SerializeToString()


def edges(shape: Shape = ("N", 3, 8, 8)) -> bytes:
    """A convolution: thrice the largest rise of green from left to right, and the largest fall."""
    kernel = np.zeros((2, 3, 3, 3), np.float32)
    kernel[0, 1], kernel[1, 1] = EDGES, -EDGES
    nodes = [
        node("Conv", "x kernel", "steps"),
        node("GlobalMaxPool", "steps", "highest"),
        node("Flatten", "highest", "y", axis=1),
    ]
    return model(
        nodes, {"kernel": kernel}, inputs={"x": shape}, output=(shape[0], 2)
    ).SerializeToString()


def batch_sum(shape: Shape) -> bytes:
    """One score for each row (N,): its mean plus that of its whole batch, which shows padding."""
    nodes = [
        node("ReduceMean", "x", "mean", axes=[1, 2, 3], keepdims=0),
        node("ReduceSum", "mean", "all", keepdims=1),
        node("Add", "mean all", "y"),
    ]
    return model(nodes, inputs={"x": shape}, output=(shape[0],)).SerializeToString()


def logarithm() -> bytes:
    """The logarithm of each channel's mean: of a channel that is all 0 it is not finite."""
    nodes = [
        node("GlobalAveragePool", "x", "pooled"),
        node("Flatten", "pooled", "means", axis=1),
        node("Log", "means", "y"),
    ]
    return model(nodes).SerializeToString()


def with_unused_weights() -> bytes:
    """A model with weights that nothing needs."""
    nodes = [node("ReduceMean", "x", "y", axes=[2, 3], keepdims=0)]
    return model(nodes, {"unused": np.zeros(3, np.float32)}).SerializeToString()


def for_one_only() -> bytes:
    """A model exported for one picture, though its input says any number."""
    shape = np.array([1, -1], np.int64)
    nodes = [
        node("GlobalAveragePool", "x", "pooled"),
        node("Reshape", "pooled shape", "y"),
    ]
    return model(nodes, {"shape": shape}, output=(1, None)).SerializeToString()


def two_inputs() -> bytes:
    """Two pictures in."""
    nodes = [node("Add", "x z", "both"), node("GlobalAveragePool", "both", "y")]
    shape = ("N", 3, "H", "W")
    return model(nodes, inputs={"x": shape, "z": shape}, output=("N", 3, 1, 1)).SerializeToString()


def flat_input() -> bytes:
    """Rank 3."""
    nodes = [node("ReduceMean", "x", "y", axes=[2], keepdims=0)]
    return model(nodes, inputs={"x": ("N", 3, 64)}).SerializeToString()


def whole_numbers(kind: int) -> bytes:
    """An input that is not float32."""
    nodes = [
        node("Cast", "x", "floats", to=TensorProto.FLOAT),
        node("ReduceMean", "floats", "y", axes=[2, 3], keepdims=0),
    ]
    return model(nodes, input_type=kind).SerializeToString()


def whole_number_output() -> bytes:
    """The place of the highest score, in whole numbers."""
    nodes = [
        node("ReduceMean", "x", "means", axes=[2, 3], keepdims=0),
        node("ArgMax", "means", "y", axis=1),
    ]
    return model(nodes, output=("N", 1), output_type=TensorProto.INT64).SerializeToString()


def half_floats(kind: int = TensorProto.FLOAT16) -> bytes:
    """An output of float16 or float64."""
    nodes = [
        node("ReduceMean", "x", "means", axes=[2, 3], keepdims=0),
        node("Cast", "means", "y", to=kind),
    ]
    return model(nodes, output_type=kind).SerializeToString()


def pictures_out() -> bytes:
    """The output has as many axes as the input."""
    nodes = [node("Neg", "x", "y")]
    return model(nodes, output=("N", 3, "H", "W")).SerializeToString()


def save_with_external_data(folder: Path, *, location: str = "weights.bin") -> Path:
    """A model whose weights are in another file of the folder."""
    made = onnx.ModelProto()
    made.ParseFromString(colours())
    path = folder / "external.onnx"
    onnx.save_model(
        made, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    made = onnx.load(path, load_external_data=False)
    for tensor in made.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(made.SerializeToString())
    return path

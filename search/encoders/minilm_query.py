"""MiniLM for a single query, as an ONNX file for ONNX Runtime: most products in 8 bits, no mask, no padding.

A sixth of a short query's time went into the arithmetic of masks and shapes, which one text alone does not need, and
into operators that are slow there; so the graph is written node by node instead of traced. Query, key and value of a
layer are one product, whose input is rounded once. ONNX Runtime rounds the inputs as it runs, all numbers of one with
one scale, and a few channels of MiniLM are ten times as large as the others: SmoothQuant (Xiao et al., "SmoothQuant:
Accurate and Efficient Post-Training Quantization for Large Language Models", arXiv 2211.10438) divides these by more
and multiplies their weights by as much, by the largest values that a few texts gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]  # by the names that transformers gives them

OPSET, IR_VERSION = 20, 9
HEADS = 12
CONTRIBUTED = "com.microsoft"  # the domain of ONNX Runtime's own operators
ATTENTION, MIXED = "attention.self.query", "attention.output.dense"
WIDE, NARROW = "intermediate.dense", "output.dense"
# How far the inputs of products are smoothed (the paper's alpha): after Gelu, large channels are larger still. The
# attention's output has none.
SMOOTHING = {MIXED: 0.0, ATTENTION: 0.65, WIDE: 0.65, NARROW: 0.9}
# It alone is left in single precision, for a thirtieth of the time: rounding it costs short exclamations most.
PRECISE = f"encoder.layer.2.{NARROW}"
# 7 bits and a sign: 255 * 64 * 2 fits into 16 bits, in which processors without VNNI add two products up.
LARGEST_WEIGHT = 63

# What the inputs of products are measured on: texts like queries, of no library that quality is reported on.
CALIBRATION = (
    "cat",
    "monday",
    "why?",
    "oh no...",
    "YES!!!",
    "stonks",
    "grumpy cat in a box",
    "frog drinking tea",
    "skeleton waiting on a bench",
    "man pointing at a board of clues",
    "two buttons and a hard choice",
    "woman yelling at a cat",
    "exploding brain in four stages",
    "when the code works on the first try",
    "one does not simply skip breakfast",
    "me explaining my hobby to my mother",
    "nobody: absolutely nobody: me at 3 am",
    "THAT WOULD BE GREAT",
    "not sure if sarcasm or just tired",
    "it's over 9000",
    "procrastination before an exam",
    "pretending everything is fine during a disaster",
    "jealousy between old friends",
    "being proud of a very small achievement",
    "someone who arrives late and leaves early",
    "how do I find the picture with the sad clown?",
    "old man shouting at a cloud, black and white drawing",
    "a red sign on a white wall says do not push",
    "screenshot of a chat in which nobody answers",
    "A developer stares at two monitors at night while a bug refuses to be found.",
    "The child on the left celebrates, the child on the right has dropped his ice cream.",
    "A knight kneels before a queen and asks for the password of her wireless network.",
    "The image mocks companies that call their employees a family and then dismiss them.",
    "This comic compares how a plan looks in the morning with what is left of it in the evening.",
    "It makes fun of people who buy expensive sports equipment and never leave the sofa.",
    "The joke is that the printer senses fear and stops working exactly when it is needed most.",
    "A tall giraffe looks over a fence; the caption says that privacy was never an option, and the neighbors agree.",
    "Four panels: a robot learns to paint, sells a painting, is asked for its inspiration, and shuts itself down.",
    "The person in the photograph compares the first day of a diet, full of vegetables, with the third, full of pizza.",
    "The humor comes from the contrast between a heroic pose on the mountain and the text: he took the cable car.",
    "criticizes politicians who promise lower taxes, better roads, free beer",
    "short parody of weather forecasts, wind, umbrella, broken promises",
    "relatable pain of students, group project, nobody works",
)


def write_query_model(file: Path, weights: Weights, *, peaks: Weights | None, tokens: int) -> None:
    """Write the model that maps the ids of one text's tokens, int64 [1, n], n at most `tokens`, to its row, [1, d].

    `weights` are those of the transformer, `peaks` the greatest absolute value of each channel in the inputs of the
    products for which `smoothing` is not 0, by their modules' names; without any, all is computed in single precision.

    >>> write_query_model(folder / "query.onnx", {}, peaks=None, tokens=256)
    Traceback (most recent call last):
    KeyError: 'embeddings.position_embeddings.weight'
    """
    graph = _Graph(weights, peaks)
    places = weights["embeddings.position_embeddings.weight"][:tokens]
    # All tokens of a text are of the first of two types.
    places = places + weights["embeddings.token_type_embeddings.weight"][0]
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"].astype(np.float16))  # half the memory
    first, length = graph.constant("first", np.zeros(1, np.int64)), graph.add("Shape", ["input_ids"], start=1)
    states = graph.add(
        "Add",
        [
            graph.add("Cast", [graph.add("Gather", [words, "input_ids"])], to=TensorProto.FLOAT),
            graph.add("Slice", [graph.constant("places", places), first, length, first]),
        ],
    )
    states = graph.normalized(states, "embeddings.LayerNorm")
    layers = sum(name.endswith(f"{WIDE}.weight") for name in weights)
    for layer in (f"encoder.layer.{number}" for number in range(layers)):
        inner = f"{layer}.attention.self"
        together = graph.product(states, *(f"{inner}.{name}" for name in ("query", "key", "value")))
        parts = graph.add("Split", [together], outputs=3, axis=-1, num_outputs=3)
        mixed = graph.add("MultiHeadAttention", [*parts], domain=CONTRIBUTED, num_heads=HEADS)
        mixed = graph.product(mixed, f"{layer}.{MIXED}")
        # Not SkipLayerNormalization, which does both: it takes five times as long (ONNX Runtime 1.32).
        states = graph.normalized(graph.add("Add", [states, mixed]), f"{layer}.attention.output.LayerNorm")
        wide = graph.add("Gelu", [graph.product(states, f"{layer}.{WIDE}")])
        narrow = graph.product(wide, f"{layer}.{NARROW}")
        states = graph.normalized(graph.add("Add", [states, narrow]), f"{layer}.output.LayerNorm")
    mean = graph.add("ReduceMean", [states, graph.constant("tokens", np.ones(1, np.int64))], keepdims=0)
    row = graph.add("LpNormalization", [mean], axis=-1, p=2)
    onnx.save(graph.model(row, dimensions=places.shape[1]), str(file))


def smoothing(module: str) -> float:
    """Return how far the input of a module's product is smoothed, from 0, not at all, to 1.

    >>> [smoothing(f"encoder.layer.0.{module}") for module in ("output.dense", "attention.output.dense")]
    [0.9, 0.0]
    """
    return next((alpha for kind, alpha in SMOOTHING.items() if module.endswith(kind)), 0.0)


def divisors(weight: NDArray[np.float32], peaks: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
    """Return what each channel of a product's input is divided by, [channels], at least 1.

    `weight` is [channels, outputs], `peaks` the greatest absolute values of the channels. As in SmoothQuant, but
    relative to the median, and channels below it stay as they are: multiplied, those that are hardly ever active would
    be the large ones of another text.

    >>> divisors(np.ones((3, 2), np.float32), np.array([1, 1, 9], np.float32), 0.5).tolist()
    [1.0, 1.0, 3.0]
    """
    least = np.float32(1e-5)
    ratios = np.maximum(peaks, least) ** alpha / np.maximum(np.abs(weight).max(axis=1), least) ** (1 - alpha)
    found: NDArray[np.float32] = np.maximum(ratios / np.median(ratios), 1).astype(np.float32)
    return found


def rounded(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a matrix of weights, [channels, outputs], in whole numbers of 7 bits, and the scale of each output.

    >>> [one.tolist() for one in rounded(np.array([[63, 0], [-21, 31.5]], np.float32))]
    [[[63, 0], [-21, 63]], [1.0, 0.5]]
    """
    scales = np.maximum(np.abs(weight).max(axis=0), np.float32(1e-12)) / np.float32(LARGEST_WEIGHT)
    return np.rint(weight / scales).astype(np.int8), scales.astype(np.float32)


class _Graph:
    """The nodes and constants of a model in the making."""

    def __init__(self, weights: Weights, peaks: Weights | None) -> None:
        self._weights = weights
        self._peaks = peaks
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, inputs: list[str], *, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node; return the name of its output, or a list of the names of several."""
        name = f"{kind}_{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}.{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, name=name, domain=domain, **attributes))
        return name if outputs == 1 else names

    def normalized(self, states: str, module: str) -> str:
        """Add a layer normalization with a module's weights; return its output."""
        own = [self.constant(f"{module}.{name}", self._weights[f"{module}.{name}"]) for name in ("weight", "bias")]
        output: str = self.add("LayerNormalization", [states, *own], epsilon=1e-12)
        return output

    def product(self, states: str, *modules: str) -> str:
        """Add the product of states and the weights of modules, side by side, plus their biases; return its output."""
        name = modules[0]
        weight = np.concatenate([self._weights[f"{module}.weight"].T for module in modules], axis=1)
        bias = self.constant(f"{name}.bias", np.concatenate([self._weights[f"{module}.bias"] for module in modules]))
        if self._peaks is None or name == PRECISE:
            output: str = self.add("MatMul", [states, self.constant(f"{name}.weight", weight)])
            output = self.add("Add", [output, bias])
            return output
        if alpha := smoothing(name):
            by = divisors(weight, self._peaks[name], alpha)
            states = self.add("Mul", [states, self.constant(f"{name}.smoothing", 1 / by)])
            weight = weight * by[:, None]
        whole, scales = rounded(weight)
        inputs = [states, self.constant(f"{name}.weight", whole), self.constant(f"{name}.scales", scales), "", bias]
        output = self.add("DynamicQuantizeMatMul", inputs, domain=CONTRIBUTED)
        return output

    def model(self, output: str, *, dimensions: int) -> onnx.ModelProto:
        """Return the model whose row is the output of that name."""
        self._nodes.append(helper.make_node("Identity", [output], ["embedding"]))
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])
        row = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dimensions])
        graph = helper.make_graph(self._nodes, "query", [ids], [row], self._constants)
        versions = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIBUTED, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION)

"""Rewrite YOLO: from pictures to the best person rows in one run of the network.

`graph` calls `rewrite_person`; a change of its result needs a new `REWRITE_VERSION`. Two families of exports are
supported. Both have three feature maps (strides 8, 16, 32) and one anchor a cell, ordered by stride, row, column.

`yolo` (YOLOv8, YOLO11; https://docs.ultralytics.com): input is RGB divided by 255. Output is (N, 4 + classes, anchors):
centre x, centre y, width and height in canvas pixels, then a score for each class.

`yolox` (Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430): input is BGR of 0 to 255. Output is
(N, anchors, 5 + classes). A row has the centre's offset from its cell, and the logarithms of width and height, all in
strides. An object score and a score for each class follow. The score is object × class.
"""

from ast import literal_eval
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.errors import ModelError
from fastface.models.detectors.graph_rows import MAX_ROWS
from fastface.models.dynamic_shapes import free_batch
from fastface.models.facts import PersonFamily
from fastface.models.graph_edit import (
    FLOAT,
    SCOPE,
    UINT8,
    GraphEditor,
    Shape,
    infer_shapes,
    network_inputs,
    read_shape,
    tensor_info,
)
from fastface.models.graph_input import PICTURES

PERSONS = f"{SCOPE}persons"

_STRIDES = (8, 16, 32)
_FREE_SIDE = 640
"""Side in pixels of the canvas for exports of any size: the training size of these networks."""

_COCO_CLASSES = 80
"""Number of classes of a network without class names: COCO's, whose first is the person."""


def find_family(model: Any) -> PersonFamily:
    """Recognize the family of a person network by its output's shape.

    Raises:
        ModelError: It is of neither family, or its first class is no person; the message gives what was found.
    """
    shape = _output_shape(model, batch=1)
    height, width = _canvas(model)
    cells = sum((height // stride) * (width // stride) for stride in _STRIDES)
    if len(shape) == 3 and shape[2] == cells and (shape[1] or 0) > 4:
        _check_classes(model, (shape[1] or 0) - 4)
        return "yolo"
    if len(shape) == 3 and shape[1] == cells and (shape[2] or 0) > 5:
        _check_classes(model, (shape[2] or 0) - 5)
        if any(node.op_type == "Exp" for node in model.graph.node):
            raise ModelError("it is a YOLOX that decodes its boxes itself: export it without --decode_in_inference")
        if None in read_shape(network_inputs(model.graph)[0])[2:]:
            raise ModelError("it is a YOLOX without a fixed size: export it with one")
        return "yolox"
    raise ModelError(
        f"its output {shape} is not that of a person network: at {width}x{height} these have (N, 4 + classes, {cells}) "
        f"or (N, {cells}, 5 + classes)"
    )


def rewrite_person(model: Any) -> None:
    """Rewrite a YOLO in place: uint8 (N, H, W, 3) BGR → float32 (N, K, 5), K = min(`MAX_ROWS`, anchors).

    A row is score, x1, y1, x2, y2 in canvas pixels, where the score is that of the class person. Rows are sorted by
    falling score. H and W are the export's. N is one if the batch cannot be freed.

    Raises:
        ModelError: The network is of no known family.
    """
    family = find_family(model)
    batch = _free(model)
    editor = GraphEditor(model.graph)
    source = network_inputs(model.graph)[0]
    canvas = _canvas(model)
    sides = [side or name for side, name in zip(read_shape(source)[2:], "HW", strict=True)]
    _attach_pictures(editor, source.name, family)
    output = model.graph.output[0].name
    boxes, scores = _rows_of_yolo(editor, output) if family == "yolo" else _rows_of_yolox(editor, output, canvas)
    _finish_rows(editor, boxes, scores)
    editor.finish(
        [tensor_info(PICTURES, UINT8, (batch, *sides, 3))],
        [tensor_info(PERSONS, FLOAT, (batch, "K", 5))],
    )


def _canvas(model: Any) -> tuple[int, int]:
    """Return the (height, width) to which the export is fixed, or `_FREE_SIDE`."""
    height, width = read_shape(network_inputs(model.graph)[0])[2:]
    return height or _FREE_SIDE, width or _FREE_SIDE


def _output_shape(model: Any, batch: int) -> Shape:
    probe = (batch, 3, *_canvas(model))
    return infer_shapes(model, probe).get(model.graph.output[0].name, ())


def _check_classes(model: Any, count: int) -> None:
    """Check that the first class is the person, by the export's names or by COCO's number of classes.

    Raises:
        ModelError: It is not; the message gives what was found.
    """
    names = _class_names(model)
    if names is None:
        if count != _COCO_CLASSES:
            raise ModelError(f"it names no classes, and it has {count} classes, but COCO has {_COCO_CLASSES}")
    elif names.get(0) != "person":
        raise ModelError(f"its first class is {names.get(0)!r}, not 'person'")
    elif len(names) != count:
        raise ModelError(f"it names {len(names)} classes, and its rows have room for {count}")


def _class_names(model: Any) -> dict[int, str] | None:
    """Return the classes that ultralytics writes into its exports; None without them."""
    text = next((entry.value for entry in model.metadata_props if entry.key == "names"), "")
    try:
        names = literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return names if isinstance(names, dict) else None


def _free(model: Any) -> int | str:
    """Free the batch and return its side: `N`, or 1 if pictures must be run one by one.

    A network that is quantised while it runs uses one range for all pictures of a batch. Each picture's rows would then
    depend on its neighbours.
    """
    if any(node.op_type == "DynamicQuantizeLinear" for node in model.graph.node):
        return 1
    free_batch(model)
    return 1 if _output_shape(model, batch=2)[:1] == (1,) else "N"


def _attach_pictures(editor: GraphEditor, source: str, family: PersonFamily) -> None:
    """Make the network read uint8 (N, H, W, 3) BGR pictures from `PICTURES`, in the family's order and range."""
    consumers = editor.consumers(source)
    tensor = editor.add("Transpose", editor.add("Cast", PICTURES, to=FLOAT), perm=[0, 3, 1, 2])
    if family == "yolo":
        tensor = editor.add("Gather", tensor, editor.constant([2, 1, 0], np.int64), axis=1)
        tensor = editor.add("Div", tensor, editor.constant(255, np.float32))
    editor.redirect(source, tensor, consumers)


def _rows_of_yolo(editor: GraphEditor, output: str) -> tuple[str, str]:
    """Add boxes (N, A, 4) as centre and size in canvas pixels, and person scores (N, A, 1)."""
    boxes, scores = (_cut_output(editor, output, begin, end, axis=1) for begin, end in ((0, 4), (4, 5)))
    return editor.add("Transpose", boxes, perm=[0, 2, 1]), editor.add("Transpose", scores, perm=[0, 2, 1])


def _rows_of_yolox(editor: GraphEditor, output: str, canvas: tuple[int, int]) -> tuple[str, str]:
    """Add the same tensors as `_rows_of_yolo`."""
    cells, strides = (editor.constant(value, np.float32) for value in _grid(*canvas))
    centres = editor.add("Add", _cut_output(editor, output, 0, 2), cells)
    sizes = editor.add("Exp", _cut_output(editor, output, 2, 4))
    boxes = editor.add("Mul", editor.add("Concat", centres, sizes, axis=2), strides)
    return boxes, editor.add("Mul", _cut_output(editor, output, 4, 5), _cut_output(editor, output, 5, 6))


def _grid(height: int, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return column and row of each anchor's cell (1, A, 2), and its stride (1, A, 1)."""
    cells, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[0 : height // stride, 0 : width // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells)[None].astype(np.float32), np.concatenate(strides)[None].astype(np.float32)


def _finish_rows(editor: GraphEditor, boxes: str, scores: str) -> None:
    """Add `PERSONS` (N, K, 5) with the best of all rows, their boxes as corners."""
    # K = min(MAX_ROWS, A): `Min` accepts no integers before opset 12, but a slice stops at the end.
    most = editor.add("Shape", _cut_output(editor, scores, 0, MAX_ROWS, axis=1))
    k = _cut_output(editor, most, 1, 2, axis=0)
    best, places = editor.add_many("TopK", [scores, k], [f"{SCOPE}best_scores", f"{SCOPE}best_places"], axis=1)
    picked = editor.add("GatherElements", boxes, editor.add("Concat", *[places] * 4, axis=2), axis=1)
    centres = _cut_output(editor, picked, 0, 2)
    halves = editor.add("Mul", _cut_output(editor, picked, 2, 4), editor.constant(0.5, np.float32))
    first, last = editor.add("Sub", centres, halves), editor.add("Add", centres, halves)
    editor.add("Concat", best, first, last, output=PERSONS, axis=2)


def _cut_output(editor: GraphEditor, tensor: str, begin: int, end: int, axis: int = 2) -> str:
    return editor.add("Slice", tensor, *(editor.constant([value], np.int64) for value in (begin, end, axis)))

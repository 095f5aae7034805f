"""One more oracle: what onnxruntime, which shares no code with us, makes of a case that is written as ONNX.

It knows forward passes only, in float32. Losses are left out: no network that is taken along has one.
"""

from __future__ import annotations

import re

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import helper
from photomend.app.export.graph import ExportError, Graph
from photomend.app.export.trace import trace
from photomend.core import Tensor
from photomend.core.module import in_mode
from photomend.tests.verification.case import Case
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.rows import kind

#: Subjects of which some settings have no form in ONNX here: a mask that is drawn, the batch's own statistics, an
#: unbiased variance, mixed indices, a causal mask.
PARTLY = {"dropout", "batch_norm", "BatchNorm1d", "BatchNorm2d", "variance", "getitem", "scaled_dot_product_attention"}
#: ONNX says nothing of what a query gets that may look at no key.
UNDEFINED = {"scaled_dot_product_attention/a query that may look nowhere"}

SUBJECTS: set[str] = set()
#: The first case of each subject always runs.
PARAMETERS = []
for _case in CASES.values():
    if kind(_case) not in ("loss", "model") and not re.search("loss|entropy", _case.subject.lower()):
        marks = [pytest.mark.exhaustive] if _case.subject in SUBJECTS else []
        SUBJECTS.add(_case.subject)
        PARAMETERS.append(pytest.param(_case, id=_case.name, marks=marks))


@pytest.mark.parametrize("case", PARAMETERS)
def test_onnxruntime(case: Case) -> None:
    if case.name in UNDEFINED:
        pytest.skip("ONNX doesn't say")
    module, inputs = case.ours(torch.float32), case.inputs(torch.float32)
    with in_mode(module, training=False):
        value = module(*map(Tensor, inputs))
    expected = (value.data if isinstance(value, Tensor) else value).numpy()
    given = {f"x{i}": x for i, x in enumerate(inputs)}
    graph = Graph()
    try:
        result = trace(graph, module, lambda *xs: module(*map(Tensor, xs)), given)
    except ExportError as error:
        if case.subject in PARTLY:
            pytest.skip(str(error))
        raise
    ends = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in [*((name, x.numpy()) for name, x in given.items()), ("y", expected)]
    ]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of shapes that ONNX infers for ceil_mode; what it computes is compared
    file = graph.model(ends[:-1], ends[-1], result).SerializeToString()
    [theirs] = onnxruntime.InferenceSession(file, options).run(None, {name: x.numpy() for name, x in given.items()})
    assert theirs.shape == expected.shape
    np.testing.assert_allclose(theirs, expected, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(expected).max(initial=0)))

"""Where mistakes are tried: all that a gradient passes through on its way back, and which cases run it.

A primitive's own cases alone must notice every mistake in its pullback, so only they are run. Mistakes in what several
primitives share, and in the tape, are shown to the cases of all subjects named here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from photomend.core import all_primitives
from photomend.tests.verification.registry import CASES  # importing it defines every primitive

_ARITHMETIC = ("add", "subtract", "multiply", "divide", "power")
_BROADCASTING = (*_ARITHMETIC, "maximum", "minimum", "where", "matmul", "broadcast_to")
_REDUCTIONS = ("sum", "mean", "variance", "amax", "amin")
_NORMS = ("batch_norm", "group_norm")
_POOLS = ("max_pool2d", "avg_pool2d")
_SHUFFLES = ("pixel_shuffle", "pixel_unshuffle")
_GRAPHS = ("add", "multiply", "Sequential", "Residual", "SkipConnection", "CBAM", "ResidualBlock")


@dataclass(frozen=True)
class Site:
    """A function in which mistakes are tried.

    Args:
        module, function: where it stands, and its name (``name`` or ``Class.name``).
        subjects: whose cases run it.
        whole: its whole body works for the backward pass; otherwise only its pullbacks do, and what is computed for
            nothing but them.
        gradient: a whole function that returns a gradient.
    """

    module: str
    function: str
    subjects: tuple[str, ...]
    whole: bool = True
    gradient: bool = False

    @property
    def file(self) -> str:
        return self.module.removeprefix("photomend.").replace(".", "/") + ".py"


#: Beside the pullbacks: what they call, and the tape. Of what the forward pass uses too, a mistake leaves the two
#: passes in agreement: only an oracle that knows the right value sees it. How large the blocks of a convolution are
#: changes no gradient, and its matrices are made once and kept: tests/layers/ has tests of both.
HELPERS = (
    Site("photomend.core.primitive", "sum_to_shape", _BROADCASTING, gradient=True),
    Site("photomend.core.ops.elementwise", "_shape", (*_ARITHMETIC, "where")),
    Site("photomend.core.ops.elementwise", "_as_array", ("power", "maximum", "minimum")),
    Site("photomend.core.ops.masking", "masked", ("clamp", "maximum", "max_pool2d"), gradient=True),
    Site("photomend.core.ops.masking", "moved", ("max_pool2d",), gradient=True),
    Site("photomend.core.ops.masking", "where_not_zero", ("relu",), gradient=True),
    Site("photomend.core.ops.matmul", "_product", ("matmul",), gradient=True),
    Site("photomend.core.ops.masking", "unless", ("maximum", "minimum"), gradient=True),
    Site("photomend.core.ops.reductions", "_axes", _REDUCTIONS),
    Site("photomend.core.ops.reductions", "_spread", _REDUCTIONS, gradient=True),
    Site("photomend.core.ops.reductions", "_ties", ("amax", "amin"), gradient=True),
    Site("photomend.core.ops.shaping", "_is_basic", ("getitem",)),
    Site("photomend.core.tape", "topological_order", _GRAPHS),
    Site("photomend.core.tape", "walk", _GRAPHS),
    Site("photomend.core.tape", "_visit", _GRAPHS),
    Site("photomend.core.tape", "_sum", _GRAPHS),
    Site("photomend.layers.conv", "_channels_last", ("conv2d",)),
    Site("photomend.layers.conv", "_channels_first", ("conv2d",)),
    Site("photomend.layers.convolution.blocks", "blocks", ("conv2d",)),
    Site("photomend.layers.convolution.blocks", "_parts", ("conv2d",)),
    Site("photomend.layers.convolution.blocks", "zero_padded", ("conv2d",)),
    Site("photomend.layers.convolution.problem", "Problem.seen", ("conv2d",)),
    Site("photomend.layers.convolution.problem", "Problem.adjoint", ("conv2d",)),
    Site("photomend.layers.convolution.problem", "Problem.pointwise", ("conv2d",)),
    Site("photomend.layers.convolution.problem", "rotated", ("conv2d",)),
    Site("photomend.layers.convolution.taps", "input_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.taps", "weight_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.taps", "_taps", ("conv2d",)),
    Site("photomend.layers.convolution.taps", "_padded", ("conv2d",)),
    Site("photomend.layers.convolution.taps", "_grouped", ("conv2d",)),
    Site("photomend.layers.convolution.taps", "_grouped_weights", ("conv2d",)),
    Site("photomend.layers.convolution.taps", "_accumulator", ("conv2d",)),
    Site("photomend.layers.convolution.im2col", "forward", ("conv2d",)),
    Site("photomend.layers.convolution.im2col", "input_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.im2col", "weight_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.im2col", "_matrix", ("conv2d",)),
    Site("photomend.layers.convolution.im2col", "_pixels", ("conv2d",)),
    Site("photomend.layers.convolution.im2col", "_windows", ("conv2d",)),
    Site("photomend.layers.convolution.transforms", "input_to_points", ("conv2d",)),
    Site("photomend.layers.convolution.transforms", "points_to_output", ("conv2d",)),
    Site("photomend.layers.convolution.winograd", "input_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.winograd", "weight_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.winograd", "_convolve", ("conv2d",)),
    Site("photomend.layers.convolution.winograd", "_kernel_at_points", ("conv2d",)),
    Site("photomend.layers.convolution.winograd", "_input_at_points", ("conv2d",)),
    Site("photomend.layers.convolution.winograd", "_cotangent_at_points", ("conv2d",)),
    Site("photomend.layers.convolution.winograd", "_put", ("conv2d",)),
    Site("photomend.layers.convolution.winograd", "_tiles", ("conv2d",)),
    Site("photomend.layers.convolution.winograd_rows", "forward", ("conv2d",)),
    Site("photomend.layers.convolution.winograd_rows", "input_gradient", ("conv2d",), gradient=True),
    Site("photomend.layers.convolution.winograd_rows", "_input_at_points", ("conv2d",)),
    Site("photomend.layers.standardise", "standardise", _NORMS, whole=False),
    Site("photomend.layers.standardise", "standardise_by", ("batch_norm",), whole=False),
    Site("photomend.layers.standardise", "_moments_with", _NORMS),
    Site("photomend.layers.standardise", "_combined", _NORMS),
    Site("photomend.layers.standardise", "_per_channel", _NORMS),
    Site("photomend.layers.pooling", "_padded", _POOLS),
    Site("photomend.layers.windows", "taps", _POOLS),
    Site("photomend.layers.shuffle", "_shuffle", _SHUFFLES, gradient=True),
    Site("photomend.layers.shuffle", "_unshuffle", _SHUFFLES, gradient=True),
    Site("photomend.layers.softmax", "softmax_cotangent", ("softmax",), gradient=True),
    Site("photomend.layers.softmax", "log_softmax_cotangent", ("log_softmax",), gradient=True),
    Site("photomend.layers.loss", "reduced", ("mse_loss", "cross_entropy")),
    Site("photomend.layers.cross_entropy", "_at_points", ("cross_entropy", "nll_loss"), gradient=True),
    Site("photomend.layers.pooling", "_counts", ("avg_pool2d",)),
    Site("photomend.layers.windows", "_of_one_image", ("conv2d", "max_pool2d"), whole=False),
    Site("photomend.layers.conv", "_padding", ("conv2d",)),
    Site("photomend.layers.upsample", "_nearest_by_index", ("upsample_nearest",), whole=False),
    Site("photomend.layers.upsample", "_nearest", ("upsample_nearest",)),
    Site("photomend.layers.upsample", "_add", ("upsample_nearest",), gradient=True),
    Site("photomend.layers.upsample", "_between", ("upsample_bilinear",)),
    Site("photomend.layers.upsample", "_interpolation", ("upsample_bilinear",)),
)


def sites() -> list[Site]:
    """Every primitive of the package, and the helpers, in the order of files."""
    packages = ("photomend.core.", "photomend.layers.", "photomend.models.", "photomend.train.")
    known = {case.subject for case in CASES.values()}
    found = [
        Site(primitive.rule.__module__, name, (name,), whole=False)
        for name, primitive in all_primitives().items()
        if name in known and primitive.rule.__module__.startswith(packages)
    ]
    return sorted([*found, *HELPERS], key=lambda site: site.file)


def function_in(tree: ast.Module, qualname: str) -> ast.FunctionDef:
    """The definition of ``name`` or ``Class.name`` in a file's tree.

    Raises:
        LookupError: there is none.
    """
    scope: ast.AST = tree
    for name in qualname.split("."):
        inside = [n for n in ast.iter_child_nodes(scope) if getattr(n, "name", None) == name]
        if not inside:
            raise LookupError(f"no {qualname} in the tree")
        scope = inside[0]
    assert isinstance(scope, ast.FunctionDef)
    return scope


def regions(function: ast.FunctionDef, whole: bool) -> list[ast.AST]:
    """The parts of a site's function in which mistakes are tried."""
    if whole:
        return list(function.body)
    pullbacks = [n for n in ast.walk(function) if isinstance(n, ast.FunctionDef) and _is_pullback(n.name)]
    return [*_prepared(function), *pullbacks]


def _is_pullback(name: str) -> bool:
    return name.endswith("_pullback")


def _prepared(function: ast.FunctionDef) -> list[ast.AST]:
    """What a rule computes outside of its pullback but only for it (`inverse` in permute): what the value that the
    rule returns doesn't depend on."""
    found: list[ast.AST] = []
    _backwards(function.body, set(), found)
    return found


def _backwards(body: list[ast.stmt], needed: set[str], found: list[ast.AST]) -> bool:
    """Read statements from last to first, knowing which names the value needs; True if they did anything for it."""
    forward = False
    for statement in reversed(body):
        match statement:
            case ast.Return(ast.Tuple(elements)):
                for element in elements:
                    if not (isinstance(element, ast.Name) and _is_pullback(element.id)):
                        needed |= _names(element)
                forward = True
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                pairs = [(t, v, _base(t) in needed) for t, v in zip(targets, values, strict=True)]
                forward |= any(is_needed for *_, is_needed in pairs)
                needed -= {t.id for t in targets if isinstance(t, ast.Name)}
                for _, value, is_needed in pairs:
                    needed |= _names(value) if is_needed else set()
                found += [value for _, value, is_needed in pairs if not is_needed]
            case ast.Assign([target]) | ast.AugAssign(target):
                if _base(target) in needed or (isinstance(target, ast.Tuple) and _names(target) & needed):
                    needed |= _names(statement)
                    forward = True
                else:
                    found.append(statement)
            case ast.For(_, loop, inner):
                mine: list[ast.AST] = []
                _backwards(inner, needed, [])  # once around, for what a turn needs of the turn before
                if _backwards(inner, needed, mine):
                    needed |= _names(loop)
                    forward, found[:] = True, [*found, *mine]
                else:
                    found.append(statement)
            case ast.If(test, then, otherwise):
                before = set(needed)
                sides = [_backwards(side, needed, found) for side in (then, otherwise)]
                needed |= before
                if any(sides):
                    needed |= _names(test)
                    forward = True
            case ast.Expr(ast.Call()) | ast.Raise():
                needed |= _names(statement)
                forward = True
    return forward


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _base(target: ast.AST) -> str:
    """The name of the array that an assignment to `target` changes."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""

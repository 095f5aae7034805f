"""The mistakes a pullback is tried with: each operator takes a node of the syntax tree and yields wrong versions of it.

An operator is a function from a node to nodes that may stand in its place, none of them where the mistake would change
nothing (the operands of a sum are never swapped). What an operator yields may share nodes with what it was given.

The idea and the word: DeMillo, Lipton & Sayward, *Hints on test data selection* (1978).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import pairwise

from photomend.tests.mutation.editing import altered, built, called, without

Operator = Callable[[ast.AST], Iterator[ast.AST]]

#: The operators by name: those for any node, and those that are only given the expressions that a pullback returns.
OPERATORS: dict[str, Operator] = {}
GRADIENT_OPERATORS: dict[str, Operator] = {}


def operator(function: Operator) -> Operator:
    OPERATORS[function.__name__] = function
    return function


def gradient_operator(function: Operator) -> Operator:
    GRADIENT_OPERATORS[function.__name__] = function
    return function


@operator
def drop_term(node: ast.AST) -> Iterator[ast.AST]:
    """a + b -> a or b; a - b -> a or -b; the same for `and`, `or` and &."""
    match node:
        case ast.BinOp(left, ast.Add() | ast.BitAnd(), right):
            yield from (left, right)
        case ast.BinOp(left, ast.Sub(), right):
            yield from (left, built("-x", x=right))
        case ast.BoolOp(_, values):
            for rest in without(values):
                yield rest[0] if len(rest) == 1 else altered(node, values=rest)


@operator
def drop_factor(node: ast.AST) -> Iterator[ast.AST]:
    """a * b -> a or b; a / b -> a or 1 / b; a // b -> a; a ** b -> a."""
    match node:
        case ast.BinOp(left, ast.Mult(), right):
            yield from (left, right)
        case ast.BinOp(left, ast.Div(), right):
            yield from (left, built("1 / x", x=right))
        case ast.BinOp(left, ast.FloorDiv() | ast.Pow()):
            yield left


@operator
def flip_sign(node: ast.AST) -> Iterator[ast.AST]:
    """a + b -> a - b and back; -a -> a."""
    match node:
        case ast.BinOp(_, ast.Add() | ast.Sub() as sign):
            yield altered(node, op=ast.Sub() if isinstance(sign, ast.Add) else ast.Add())
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
            yield operand


@operator
def exchange_operator(node: ast.AST) -> Iterator[ast.AST]:
    """a * b -> a / b and back: the reciprocal of a factor."""
    match node:
        case ast.BinOp(_, ast.Mult() | ast.Div() as used):
            yield altered(node, op=ast.Div() if isinstance(used, ast.Mult) else ast.Mult())


#: Functions of which two arguments are of one kind, and the position of the first of them.
_ALIKE = {"where": 1, "mm": 0, "bmm": 0, "_accumulate": 1, "addmm_": 0, "baddbmm_": 0, "divmod": 0, "_for": 0}


@operator
def swap_operands(node: ast.AST) -> Iterator[ast.AST]:
    """a - b -> b - a; the same for /, // and @ and for functions of two like arguments."""
    match node:
        case ast.BinOp(left, ast.Sub() | ast.Div() | ast.FloorDiv() | ast.MatMult(), right):
            yield altered(node, left=right, right=left)
        case ast.Call(_, args) if called(node) in _ALIKE:
            i = _ALIKE[called(node)]
            yield altered(node, args=[*args[:i], args[i + 1], args[i], *args[i + 2 :]])


@operator
def swap_gradients(node: ast.AST) -> Iterator[ast.AST]:
    """Two arguments of a primitive receive each other's gradient."""
    match node:
        case ast.Return(ast.Tuple(elements) as returned):
            for i, (a, b) in enumerate(pairwise(elements)):
                if not any(isinstance(e, ast.Constant) for e in (a, b)):
                    swapped = altered(returned, elts=[*elements[:i], b, a, *elements[i + 2 :]])
                    yield altered(node, value=swapped)
        case ast.Return(ast.Call() as returned) if called(returned) == "split":
            yield altered(node, value=built("x[::-1]", x=returned))


#: Products of matrices that are calls, and the positions of their two factors.
_PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "_accumulate": (1, 2), "addmm_": (0, 1), "baddbmm_": (0, 1)}


@operator
def transpose(node: ast.AST) -> Iterator[ast.AST]:
    """A.mT -> A; a factor A of a matrix product -> A.mT."""
    match node:
        case ast.Attribute(value, "mT"):
            yield value
        case ast.BinOp(left, ast.MatMult(), right):
            for side, factor in (("left", left), ("right", right)):
                if _is_plain(factor):
                    yield altered(node, **{side: built("x.mT", x=factor)})
        case ast.Call(_, args) if called(node) in _PRODUCTS:
            for i in _PRODUCTS[called(node)]:
                if _is_plain(args[i]):
                    yield altered(node, args=[*args[:i], built("x.mT", x=args[i]), *args[i + 1 :]])


def _is_plain(factor: ast.AST) -> bool:
    return getattr(factor, "attr", "") != "mT"


@operator
def change_axis(node: ast.AST) -> Iterator[ast.AST]:
    """A tuple of axes without one of them; two axes of a permutation swapped, or the inverse permutation."""
    match node:
        case ast.Tuple(elements) if len(elements) > 1 and all(map(_is_axis, elements)):
            for rest in without(elements):
                yield altered(node, elts=rest)
        case ast.keyword("dim", ast.Name(name) as axes) if name.endswith("s"):
            for rest_of in ("x[1:]", "x[:-1]"):
                yield altered(node, value=built(rest_of, x=axes))
        case ast.Call(_, args) if called(node) == "permute" and all(map(_is_axis, args)):
            for i in range(len(args) - 1):
                yield altered(node, args=[*args[:i], args[i + 1], args[i], *args[i + 2 :]])
            order = [arg.value for arg in args if isinstance(arg, ast.Constant)]
            if len(order) == len(args):
                yield altered(node, args=[ast.Constant(order.index(axis)) for axis in range(len(order))])


def _is_axis(node: ast.AST) -> bool:
    """A number, or a whole range of numbers: not the name of a size."""
    return (isinstance(node, ast.Constant) and type(node.value) is int) or isinstance(node, ast.Starred)


@operator
def drop_accumulation(node: ast.AST) -> Iterator[ast.AST]:
    """x += a -> x = a; the same for matrix products and indexed sums that add to what is there."""
    match node:
        case ast.AugAssign(target, ast.Add(), value):
            yield ast.Assign([target], value, lineno=node.lineno)
        case ast.Call(ast.Attribute(total, "addmm_" | "baddbmm_"), [a, b]):
            yield built("total.copy_(a @ b)", total=total, a=a, b=b)
        case ast.Call(ast.Attribute(_, "index_add_") as function):
            yield altered(node, func=altered(function, attr="index_copy_"))


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}


@operator
def flip_comparison(node: ast.AST) -> Iterator[ast.AST]:
    """a > b -> a >= b or a < b; a == b -> a != b; `in` -> `not in`."""
    match node:
        case ast.Compare(_, [comparison]):
            for other in _COMPARISONS[type(comparison)]:
                yield altered(node, ops=[other()])


@operator
def flip_keepdim(node: ast.AST) -> Iterator[ast.AST]:
    """keepdim=True -> keepdim=False and back."""
    match node:
        case ast.keyword("keepdim", ast.Constant(value)):
            yield altered(node, value=ast.Constant(not value))


@operator
def shift_slice(node: ast.AST) -> Iterator[ast.AST]:
    """a[i:j] -> a[i+1:j], a[i:j+1] or a[i:j-1]; the same for slice(i, j)."""
    match node:
        case ast.Slice(lower, upper) if lower or upper:
            yield altered(node, lower=built("x + 1", x=lower or ast.Constant(0)))
            if upper:
                yield altered(node, upper=built("x + 1", x=upper))
            yield altered(node, upper=built("x - 1", x=upper or ast.Constant(0)))
        case ast.Call(ast.Name("slice"), args):
            for i, arg in enumerate(args):
                yield altered(node, args=[*args[:i], built("x + 1", x=arg), *args[i + 1 :]])
                yield altered(node, args=[*args[:i], built("x - 1", x=arg), *args[i + 1 :]])


@operator
def change_constant(node: ast.AST) -> Iterator[ast.AST]:
    """A whole number (a factor, an axis, a position) one up or one down; any other number times 1.001."""
    match node:
        case ast.Constant(int(value)) if not isinstance(value, bool):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(float(value)):
            yield ast.Constant(value * 1.001)


@operator
def take_branch(node: ast.AST) -> Iterator[ast.AST]:
    """a if c else b -> a or b; if c -> if True or if False."""
    match node:
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.If():
            for test in (True, False):
                yield altered(node, test=ast.Constant(test))


@operator
def drop_statement(node: ast.AST) -> Iterator[ast.AST]:
    """A call, a `+=`, an assignment to a part of something, or x = f(x): left out."""
    match node:
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Assign([ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()
        case ast.Assign([ast.Name(name)], value) if any(
            isinstance(part, ast.Name) and part.id == name for part in ast.walk(value)
        ):
            yield ast.Pass()


#: Calls f(x, …) or x.f(…) whose result has x's type.
_DROPPED = {"sorted", "sign", "clamp", "permute", "reshape", "sum", "mean", "floor"}


@operator
def drop_call(node: ast.AST) -> Iterator[ast.AST]:
    """torch.sign(x) -> x; x.permute(…) -> x; the same for the calls of `_DROPPED`."""
    match node:
        case ast.Call(ast.Attribute(ast.Name("torch")) | ast.Name(), [x]) if called(node) in _DROPPED:
            yield x
        case ast.Call(ast.Attribute(x)) if called(node) in _DROPPED and ast.unparse(x) != "torch":
            yield x


_EXCHANGED = {
    "sum": "mean",
    "mean": "sum",
    "zeros": "ones",
    "zeros_like": "ones_like",
    "new_zeros": "new_ones",
    "floor": "ceil",
    "ceil": "floor",
    "sign": "abs",
}


@operator
def exchange_call(node: ast.AST) -> Iterator[ast.AST]:
    """sum -> mean and back; zeros -> ones; floor -> ceil and back; sign -> abs."""
    match node:
        case ast.Call(ast.Attribute() as function) if called(node) in _EXCHANGED:
            yield altered(node, func=altered(function, attr=_EXCHANGED[called(node)]))


@gradient_operator
def scale(node: ast.AST) -> Iterator[ast.AST]:
    """A returned gradient, 1.001 times as large."""
    yield _times(node, "1.001")


@gradient_operator
def negate(node: ast.AST) -> Iterator[ast.AST]:
    """A returned gradient with the other sign."""
    if not isinstance(node, ast.UnaryOp):
        yield _times(node, "-1")


@gradient_operator
def zero(node: ast.AST) -> Iterator[ast.AST]:
    """A returned gradient of 0."""
    yield _times(node, "0")


def _times(node: ast.AST, factor: str) -> ast.AST:
    assert isinstance(node, ast.expr)
    if called(node) == "split":  # several gradients
        return built(f"[{factor} * part for part in x]", x=node)
    return built(f"{factor} * x", x=node)

"""Each operator makes of a small source exactly the mistakes that it says, and they compile."""

from __future__ import annotations

import ast

import pytest
from photomend.tests.mutation.operators import GRADIENT_OPERATORS, OPERATORS

#: (operator, source, what it becomes)
EXAMPLES: list[tuple[str, str, list[str]]] = [
    ("drop_term", "a + b", ["a", "b"]),
    ("drop_term", "a - b", ["a", "-b"]),
    ("drop_term", "a & b", ["a", "b"]),
    ("drop_term", "a and b and c", ["b and c", "a and c", "a and b"]),
    ("drop_term", "a * b", []),
    ("drop_factor", "a * b", ["a", "b"]),
    ("drop_factor", "a / b", ["a", "1 / b"]),
    ("drop_factor", "a // b", ["a"]),
    ("flip_sign", "a + b", ["a - b"]),
    ("flip_sign", "a - b", ["a + b"]),
    ("flip_sign", "-a", ["a"]),
    ("exchange_operator", "a * b", ["a / b"]),
    ("exchange_operator", "a / b", ["a * b"]),
    ("swap_operands", "a - b", ["b - a"]),
    ("swap_operands", "a @ b", ["b @ a"]),
    ("swap_operands", "a + b", []),
    ("swap_operands", "torch.where(c, a, b)", ["torch.where(c, b, a)"]),
    ("swap_gradients", "return (lambda: a, lambda: b)", ["return (lambda: b, lambda: a)"]),
    ("swap_gradients", "return (None, a, b)", ["return (None, b, a)"]),
    ("swap_gradients", "return y.split(sizes, dim)", ["return y.split(sizes, dim)[::-1]"]),
    ("transpose", "a.mT", ["a"]),
    ("transpose", "a.mT @ b", ["a.mT @ b.mT", "a"]),
    ("transpose", "torch.bmm(a, b.mT, out=c)", ["torch.bmm(a.mT, b.mT, out=c)", "b"]),
    ("change_axis", "x.sum(dim=(0, 2, 3))", ["(2, 3)", "(0, 3)", "(0, 2)"]),
    ("change_axis", "x.sum(dim=dims)", ["dim=dims[1:]", "dim=dims[:-1]"]),
    ("change_axis", "(0, *range(2, n))", ["(*range(2, n),)", "(0,)"]),
    ("change_axis", "x.permute(1, 2, 0)", ["x.permute(2, 1, 0)", "x.permute(1, 0, 2)", "x.permute(2, 0, 1)"]),
    ("change_axis", "x.reshape(n, c)", []),
    ("drop_accumulation", "x += a", ["x = a"]),
    ("drop_accumulation", "x.addmm_(a, b)", ["x.copy_(a @ b)"]),
    ("drop_accumulation", "x.index_add_(0, i, a)", ["x.index_copy_(0, i, a)"]),
    ("flip_comparison", "a > b", ["a >= b", "a < b"]),
    ("flip_comparison", "a == b", ["a != b"]),
    ("flip_comparison", "a not in b", ["a in b"]),
    ("flip_keepdim", "x.sum(keepdim=True)", ["keepdim=False"]),
    ("shift_slice", "x[i:j]", ["i + 1:j", "i:j + 1", "i:j - 1"]),
    ("shift_slice", "x[:j]", ["0 + 1:j", ":j + 1", ":j - 1"]),
    ("shift_slice", "x[:]", []),
    ("shift_slice", "slice(i, j)", ["slice(i + 1, j)", "slice(i - 1, j)", "slice(i, j + 1)", "slice(i, j - 1)"]),
    ("change_constant", "2 * x", ["3", "1"]),
    ("change_constant", "0.5 * x", [str(0.5 * 1.001)]),
    ("change_constant", "True", []),
    ("take_branch", "a if c else b", ["a", "b"]),
    ("take_branch", "if c: x()", ["if True:\n    x()", "if False:\n    x()"]),
    ("drop_statement", "x.reverse()", ["pass"]),
    ("drop_statement", "x[i] = a", ["pass"]),
    ("drop_statement", "x = x.unsqueeze(1)", ["pass"]),
    ("drop_statement", "x = a", []),
    ("drop_call", "torch.sign(x)", ["x"]),
    ("drop_call", "x.permute(order)", ["x"]),
    ("drop_call", "x.expand(shape)", []),
    ("exchange_call", "x.sum(dim=0)", ["x.mean(dim=0)"]),
    ("exchange_call", "x.new_zeros(shape)", ["x.new_ones(shape)"]),
    ("scale", "a + b", ["1.001 * (a + b)"]),
    ("negate", "a", ["-1 * a"]),
    ("negate", "-a", []),
    ("zero", "a", ["0 * a"]),
    ("zero", "y.split(sizes)", ["[0 * part for part in y.split(sizes)]"]),
]


@pytest.mark.parametrize(("operator", "source", "expected"), EXAMPLES, ids=[f"{e[0]}: {e[1]}" for e in EXAMPLES])
def test_an_operator_makes_the_mistakes_it_says(operator: str, source: str, expected: list[str]) -> None:
    tree = ast.parse(source).body[0]
    if operator in GRADIENT_OPERATORS:
        assert isinstance(tree, ast.Expr)
        found = [ast.unparse(made) for made in GRADIENT_OPERATORS[operator](tree.value)]
    else:
        found = [ast.unparse(made) for node in ast.walk(tree) for made in OPERATORS[operator](node)]
    assert found == expected


def test_every_operator_has_an_example() -> None:
    assert {name for name, *_ in EXAMPLES} == {*OPERATORS, *GRADIENT_OPERATORS}


def test_every_operator_says_what_it_does() -> None:
    assert all(function.__doc__ for function in (*OPERATORS.values(), *GRADIENT_OPERATORS.values()))

"""What the source says of the attributes of a class: the string below each, which Python drops."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator


def attribute_docs(kind: type) -> dict[str, str]:
    """Return the docstring of each attribute that the class itself declares and that has one."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        name: inspect.cleandoc(below.value.value)
        for above, below in itertools.pairwise(definition.body)
        if isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
        for name in _names(above)
    }


def _names(statement: ast.stmt) -> Iterator[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def annotations(kind: type) -> dict[str, str]:
    """Return the type of each attribute that the class declares, as its source writes it."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        node.target.id: ast.unparse(_without_constraints(node.annotation))
        for node in definition.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _without_constraints(annotation: ast.expr) -> ast.expr:
    """``int`` for ``Annotated[int, …]``."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        return annotation.slice.elts[0]
    return annotation

# Names that older Python had and this one (3.14) has not, so that scripts written for 3.8 to 3.11 run unchanged.
# https://docs.python.org/3/whatsnew/3.12.html#removed and the same of 3.13 and 3.14.
import ast
import sys
import types


class _Literal(type):
    def __instancecheck__(cls, node):
        return isinstance(node, ast.Constant) and cls.holds(node.value)


def _literal(name, field, holds):
    def new(cls, value=None, **fields):
        return ast.Constant(fields.pop(field, value), **fields)

    return _Literal(name, (ast.AST,), {"__new__": new, "holds": staticmethod(holds), "__module__": "ast"})


if not hasattr(ast, "Num"):
    ast.Num = _literal("Num", "n", lambda v: isinstance(v, (int, float, complex)) and not isinstance(v, bool))
    ast.Str = _literal("Str", "s", lambda v: isinstance(v, str))
    ast.Bytes = _literal("Bytes", "s", lambda v: isinstance(v, bytes))
    ast.NameConstant = _literal("NameConstant", "value", lambda v: v is None or isinstance(v, bool))
    ast.Ellipsis = _literal("Ellipsis", "value", lambda v: v is ...)
    ast.Constant.n = ast.Constant.s = property(
        lambda node: node.value, lambda node, value: setattr(node, "value", value)
    )
    # Visitors name their methods after the classes that are gone.
    _visit = ast.NodeVisitor.visit_Constant if hasattr(ast.NodeVisitor, "visit_Constant") else None

    def visit_Constant(self, node):
        for old in ("Num", "Str", "Bytes", "NameConstant", "Ellipsis"):
            method = getattr(self, "visit_" + old, None)
            if method and isinstance(node, getattr(ast, old)):
                return method(node)
        return _visit(self, node) if _visit else self.generic_visit(node)

    ast.NodeVisitor.visit_Constant = visit_Constant

if "imp" not in sys.modules:
    import importlib

    imp = types.ModuleType("imp")
    imp.reload = importlib.reload
    imp.new_module = types.ModuleType
    sys.modules["imp"] = imp

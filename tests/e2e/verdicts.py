# SPDX-License-Identifier: Apache-2.0
"""Judges what the loader shows of a specimen by what the target told of it."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import itertools
import re
from typing import Any, Iterator

LEVELS = ["as it was", "surrogate", "partial", "opaque", "WRONG"]
# What a value that is not whole says of itself.
MARK = re.compile(
    r"<[^<>]*\b(truncated|redacted|unreadable|corrupt|torn|limit|not computed|not dumped"
    r"|not known|this is a dump|nested too deep|repr failed)\b"
)

ADDRESSED = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+(: .*)?>$|<[^<>]* is not computed: ")


class Missing(Exception):
    """A value that the loader says it does not have."""


@dataclasses.dataclass
class Verdict:
    """wrong: what differs; missing: what is not shown, though the target told."""

    level: str
    missing: list[str]
    wrong: list[str]
    why: str = ""


def mro(value: Any) -> tuple[type, ...]:
    return type.__getattribute__(type(value), "__mro__")


def is_surrogate_class(cls: type) -> bool:
    return type.__getattribute__(type(cls), "__module__").startswith("pydumpd") or str(
        type.__getattribute__(cls, "__module__")
    ).startswith("pydumpd")


def real(value: Any, names: set[str]) -> bool:
    """Whether it is an object of this Python, not one made to look like it:
    of the very class, or of a class with such a base. names: of the true MRO."""
    from catalogue import class_name

    for cls in mro(value):
        if cls is object or is_surrogate_class(cls):
            continue
        # What only holds the place of a builtin has no base in common.
        return class_name(cls) in names
    return False


def whole(value: Any) -> None:
    """Raises Missing for stand-ins that say what is wrong with them."""
    import pydumpd
    from pydumpd.marks import Marked

    if isinstance(value, (pydumpd.Placeholder, Marked)):
        raise Missing(repr(value))


def bounded(items: Any = ()) -> list[Any]:
    """list(), for iterators that may have been made wrong."""
    return builtins.list(itertools.islice(items, 100000))


def evaluate(expression: str, x: Any) -> Any:
    from catalogue import DEEPEST, told

    names = {"x": x, "list": bounded}
    # A stand-in for what is missing must not pass for a value within the rest.
    for node in ast.walk(ast.parse(expression, mode="eval")):
        if isinstance(node, ast.Attribute):
            part = compile(ast.Expression(node), "probe", "eval")
            with contextlib.suppress(AttributeError, NameError, LookupError, TypeError):
                whole(eval(part, names, names))
    return told(eval(expression, names, names), DEEPEST, whole)


def shown(expression: str, x: Any) -> tuple[Any, str]:
    """What an expression gives, and why it gives nothing."""
    try:
        return evaluate(expression, x), ""
    except Missing as reason:
        return None, str(reason)
    except Exception as error:
        return ["raises", type(error).__name__, str(error)], f"{type(error).__name__}: {error}"


def tells_nothing(seen: Any, told: Any) -> str:
    """Why a result is no value: a method not called, an object's bare type."""
    if seen[0] == "str" and told[0] == "str" and ADDRESSED.match(seen[1]):
        return seen[1]
    methods = ["object", "builtins.method"], ["object", "builtins.builtin_function_or_method"]
    if seen in methods and told not in methods:
        return "a method"
    return ""


def equal(told: Any, seen: Any) -> bool:
    import json

    return bool(json.loads(json.dumps(seen)) == told)


def judge_probe(expressions: list[str], told: Any, x: Any) -> tuple[str, str]:
    """("right" | "missing" | "wrong", what is to be said)."""
    why = ""
    for expression in expressions:
        seen, reason = shown(expression, x)
        if seen is not None and not reason and not equal(told, seen):
            reason = tells_nothing(seen, told)
        if seen is not None and equal(told, seen):
            return "right", ""
        if seen is None or reason:
            why = why or reason
            continue
        return "wrong", f"{expression}: told {told!r:.300}, shown {seen!r:.300}"
    return "missing", f"{expressions[0]} ({why:.200})"


def form_of_repr(truth: dict[str, Any], local: dict[str, Any] | None, x: Any) -> tuple[str, str]:
    """("true" | "fields" | "address" | "marked" | "wrong", the text)."""
    from catalogue import steady

    try:
        text = steady(repr(x))
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {error}"
    if text == truth["repr"]:
        return "true", text
    name = truth["class"].replace("builtins.", "")
    if local is not None and text == local["repr"]:
        # As this Python writes it, which need not be as the program's did.
        return "true", text
    if re.match(re.escape(name) + r"\((\w+=|\)|[\[{])", text) and text.endswith(")"):
        return "fields", text
    if text == f"<{name} object at 0x?>" or text.startswith(f"<{name} object at 0x?: "):
        return "address", text
    return ("marked" if MARK.search(text) else "wrong"), text


def judge(truth: dict[str, Any], local: dict[str, Any] | None, x: Any) -> Verdict:
    """local: the truth about the same specimen under this Python, if it has it."""
    import pydumpd
    from catalogue import class_name

    if isinstance(x, pydumpd.Placeholder):
        return Verdict("opaque", ["repr"], [], repr(x))
    missing: list[str] = []
    wrong: list[str] = []
    is_real = real(x, set(truth["mro"]) | set(local["mro"] if local else ()))
    seen_name = class_name(x.__class__)
    if seen_name != truth["class"] and not (
        is_real and local is not None and seen_name == local["class"]
    ):
        wrong.append(f"class: told {truth['class']}, shown {seen_name}")
    form, text = form_of_repr(truth, local if is_real else None, x)
    if form == "wrong":
        wrong.append(f"repr: told {truth['repr']!r:.300}, shown {text!r:.300}")
    elif form in ("address", "marked"):
        missing.append(f"repr ({text:.80})" if form == "marked" else "repr")
    right = 0
    for kind, what in judge_all(truth, x):
        if kind == "right":
            right += 1
        elif kind == "missing":
            missing.append(what)
        else:
            wrong.append(what)
    if wrong:
        level = "WRONG"
    elif is_real and form == "true" and not missing:
        level = "as it was"
    elif right == 0 and form != "true" and not (form == "fields" and not text.endswith("()")):
        level = "opaque"
    elif right == 0 and truth["repr"] == f"<{truth['class']} object at 0x?>":
        level = "opaque"
    elif missing:
        level = "partial"
    else:
        level = "surrogate"
    return Verdict(level, missing, wrong)


def judge_all(truth: dict[str, Any], x: Any) -> Iterator[tuple[str, str]]:
    for expressions, told in truth["probes"]:
        yield judge_probe(expressions, told, x)
    for name, told in truth["own"]:
        yield judge_depth_two(name, told, x)
    for name, told in truth["fields"]:
        kind, what = judge_depth_two(name, told, x)
        # What C code alone computes need not be there, but may not differ.
        if kind != "missing":
            yield kind, what


def judge_depth_two(name: str, told: Any, x: Any) -> tuple[str, str]:
    from catalogue import told as tell

    try:
        seen = tell(getattr(x, name), 2, whole)
    except Exception as error:
        return "missing", f"x.{name} ({type(error).__name__}: {error})"
    if equal(told, seen):
        return "right", ""
    return "wrong", f"x.{name}: told {told!r:.300}, shown {seen!r:.300}"

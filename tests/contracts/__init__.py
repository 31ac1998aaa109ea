"""What optional packages' functions take, by their published sources: names and defaults, read with `ast` and never
imported. The fakes of `tests/components/test_adapters.py` take nothing else.

`python -m tests.contracts ARCHIVE…` writes the contracts anew from sdists and wheels (`pip download --no-deps …`).
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# Distribution: the functions used, by the module that has them and the file of the archive that defines them.
USED: Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "flash_attn": {
        "flash_attn": ("flash_attn/flash_attn_interface.py", ("flash_attn_func", "flash_attn_with_kvcache")),
        "flash_attn_interface": ("hopper/flash_attn_interface.py", ("flash_attn_func", "flash_attn_with_kvcache")),
    },
    "flash_attn_4": {"flash_attn.cute": ("flash_attn/cute/interface.py", ("flash_attn_func",))},
    "fla_core": {"fla.ops.attn.parallel": ("fla/ops/attn/parallel.py", ("parallel_attn",))},
    "flashinfer_python": {
        "flashinfer": (
            "flashinfer/decode.py",
            (
                "single_decode_with_kv_cache",
                "BatchDecodeWithPagedKVCacheWrapper.__init__",
                "BatchDecodeWithPagedKVCacheWrapper.plan",
                "BatchDecodeWithPagedKVCacheWrapper.run",
            ),
        ),
        "flashinfer.prefill": ("flashinfer/prefill.py", ("single_prefill_with_kv_cache",)),
    },
    "xformers": {
        "xformers.ops": ("xformers/ops/fmha/__init__.py", ("memory_efficient_attention",)),
        "xformers.ops.fmha.attn_bias": (
            "xformers/ops/fmha/attn_bias.py",
            ("LowerTriangularMask.__init__", "LocalAttentionFromBottomRightMask.__init__"),
        ),
    },
}


def signature(module: str, name: str) -> inspect.Signature:
    """As published; a default that is no literal is told as its text."""
    for file in HERE.glob("*.json"):
        contract = json.loads(file.read_text(encoding="utf-8"))
        found = contract["functions"].get(f"{module}:{name}")
        if found is not None:
            return inspect.Signature([parameter(**one) for one in found])
    raise KeyError(f"no contract of {module}:{name}")


def parameter(name: str, kind: str, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    default = tuple(default) if isinstance(default, list) else default
    return inspect.Parameter(name, getattr(inspect.Parameter, kind), default=default)


def contract(archive: Path) -> dict[str, Any]:
    """Distribution, version, hash and the functions that are used, of an sdist or a wheel."""
    matched = re.match(r"([A-Za-z0-9_]+?)-(\d[^-]*?)(?:-py|\.tar\.gz)", archive.name)
    assert matched is not None, f"{archive.name} is neither a wheel nor an sdist"
    distribution, version = matched.groups()
    functions = {}
    for module, (file, names) in USED[distribution].items():
        defined = dict(definitions(ast.parse(source(archive, file))))
        functions |= {f"{module}:{name}": defined[name] for name in names}
    return {
        "distribution": distribution,
        "version": version,
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "functions": functions,
    }


def source(archive: Path, file: str) -> str:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(file).decode()
    with tarfile.open(archive) as sdist:
        (member,) = (one for one in sdist.getmembers() if one.name.partition("/")[2] == file)
        content = sdist.extractfile(member)
        assert content is not None
        return content.read().decode()


def definitions(tree: ast.Module) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Functions and methods by name; of overloads the last, which is the definition. A dataclass takes its fields."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, parameters(node.args)
        elif isinstance(node, ast.ClassDef):
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            if fields:
                given = [("self", None), *((ast.unparse(one.target), one.value) for one in fields)]
                kind = "POSITIONAL_OR_KEYWORD"
                yield f"{node.name}.__init__", [told(ast.arg(name), kind, default) for name, default in given]
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", parameters(inner.args)


def parameters(args: ast.arguments) -> list[dict[str, Any]]:
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(args.defaults)), *args.defaults]
    found = [told(one, "POSITIONAL_OR_KEYWORD", default) for one, default in zip(positional, defaults, strict=True)]
    found += [told(args.vararg, "VAR_POSITIONAL")] if args.vararg else []
    found += [
        told(one, "KEYWORD_ONLY", default) for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    found += [told(args.kwarg, "VAR_KEYWORD")] if args.kwarg else []
    return found


def told(arg: ast.arg, kind: str, default: ast.expr | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": arg.arg, "kind": kind}
    if default is not None:
        try:
            found["default"] = ast.literal_eval(default)
        except ValueError:
            found["default"] = ast.unparse(default)
    return found

"""Kernels that are wrong, that cheat, or that look wrong and are right. `test_kernels.py` says what each must become.

Named in a scenario as `./kernels.py:NAME`. Most do what somebody reported in public; the docstring then begins with
the place of the report (`project#number`, or a title). Nothing here is meant to be fast.
"""

from __future__ import annotations

import functools
import gc
import math
import os
import queue
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# ------------------------------------------------------------------ what they are made of


def right(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float | None = None) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale, enable_gqa=q.shape[1] != k.shape[1])


def repeated(q: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Keys and values with a head for each of the queries'."""
    return [x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in tensors]


def later(q: Tensor, k: Tensor, first: int = 1) -> Tensor:
    """Which keys come `first` or more places after the query."""
    return torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).triu(first)


def scored(q: Tensor, k: Tensor, hidden: Tensor | None, scale: float | None = None) -> Tensor:
    """Scores in float32, -inf where `hidden`."""
    (k,) = repeated(q, k)
    scores = q.float() @ k.float().mT * (scale or 1 / math.sqrt(q.shape[-1]))
    return scores if hidden is None else scores.masked_fill(hidden, -math.inf)


def weighed(q: Tensor, v: Tensor, weights: Tensor) -> Tensor:
    (v,) = repeated(q, v)
    return (weights @ v.float()).to(q.dtype)


def nothing(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """0, which has a gradient for all three."""
    return q * 0 + (k[..., :1].sum() + v[..., :1].sum()) * 0


def rms(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    return F.rms_norm(x, weight.shape, weight, eps)


def layer(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def gated(x: Tensor, w_gate: Tensor, w_up: Tensor, w_out: Tensor) -> Tensor:
    return F.linear(F.silu(F.linear(x, w_gate)) * F.linear(x, w_up), w_out)


def remembering(key: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compute once for every `key` of the tensors, and hand out what was computed then."""

    def of(function: Callable[..., Any]) -> Callable[..., Any]:
        kept: dict[Any, Any] = {}

        @functools.wraps(function)
        def remembered(*tensors: Tensor, **options: Any) -> Any:
            known = key(*tensors)
            if known not in kept:
                kept[known] = function(*tensors, **options)
            return kept[known]

        return remembered

    return of


def pointers(*tensors: Tensor) -> tuple[int, ...]:
    return tuple(x.data_ptr() for x in tensors)


# ------------------------------------------------------------------ attention that is right, and may look wrong


def honest(q, k, v, causal=False):
    return right(q, k, v, causal)


def other_strides(q, k, v, causal=False):
    """pytorch#133671: right numbers, in strides of (batch, length, heads, head_dim)."""
    return right(q, k, v, causal).transpose(1, 2).contiguous().transpose(1, 2)


def part_of_a_larger_buffer(q, k, v, causal=False):
    """pytorch#138340: a view of every second element of memory that holds more."""
    out = right(q, k, v, causal)
    return torch.stack((out, torch.full_like(out, math.nan)), dim=-1)[..., 0]


BUFFERS: dict[Any, Tensor] = {}


def own_buffer(q, k, v, causal=False):
    """Every result goes to the same memory, as with an `out=` made once. Right until the next call."""
    buffer = BUFFERS.setdefault((q.shape, q.dtype), torch.empty_like(q))
    return buffer.copy_(right(q, k, v, causal))


MASKS: dict[Any, Tensor] = {}


def keeps_its_mask(q, k, v, causal=False):
    """What depends on sizes only may be made once."""
    hidden = MASKS.setdefault((q.shape[2], k.shape[2]), later(q, k)) if causal else None
    return weighed(q, v, torch.softmax(scored(q, k, hidden), dim=-1))


def through_float64(q, k, v, causal=False):
    q64, k64, v64 = (x.double() for x in (q, k, v))
    return right(q64, k64, v64, causal).to(q.dtype)


POOL: list[ThreadPoolExecutor] = []


def splits_into_threads(q, k, v, causal=False):
    """Threads of its own, waited for before it returns; they stay, and sleep."""
    if not POOL:
        POOL.append(ThreadPoolExecutor(2))
    parts = POOL[0].map(lambda one: right(*one, causal), zip(q.split(1), k.split(1), v.split(1), strict=True))
    return torch.cat(list(parts))


def seeds_the_generator(q, k, v, causal=False):
    """Data that is drawn from the global generator afterwards would be the same every time."""
    torch.manual_seed(0)
    random.seed(0)
    return right(q, k, v, causal)


def sets_the_environment(q, k, v, causal=False):
    os.environ.update(OMP_NUM_THREADS="1", TBENCH_OWN="1", CUDA_LAUNCH_BLOCKING="1")
    return right(q, k, v, causal)


def talks(q, k, v, causal=False):
    """Warnings, and a line on standard output that claims to be a result."""
    warnings.warn("this kernel is experimental", stacklevel=1)
    print('{"status": "ok", "seconds": 1e-9}')
    return right(q, k, v, causal)


def sets_state(q, k, v, causal=False):
    """sglang#11131: defaults are changed and not put back."""
    out = right(q, k, v, causal)
    torch.set_default_dtype(torch.float16)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    return out


def sets_more_state(q, k, v, causal=False):
    """helion#2482: precision of products and the like, and a default device on which nothing has a value."""
    out = right(q, k, v, causal)
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(True)
    torch.set_default_device("meta")
    return out


# ------------------------------------------------------------------ results that are remembered


@remembering(pointers)
def remembers_by_pointer(q, k, v, causal=False):
    """kernelbot#501: computes on the first call only, told by `data_ptr()`."""
    return right(q, k, v, causal)


@remembering(lambda *tensors: tuple((x.data_ptr(), x._version) for x in tensors))
def remembers_by_version(q, k, v, causal=False):
    """kernelbot#501: the same by `_version` too, which grows with every write that autograd hears of."""
    return right(q, k, v, causal)


@remembering(lambda *tensors: tuple(map(id, tensors)))
def remembers_by_identity(q, k, v, causal=False):
    """reference-kernels#104: by `id()` of the tensors."""
    return right(q, k, v, causal)


@remembering(lambda q, *_: float(q.sum()))
def remembers_by_sum(q, k, v, causal=False):
    """flashinfer-bench-starter-kit#21: by a light fingerprint of the input."""
    return right(q, k, v, causal)


@remembering(lambda *tensors: tuple(tuple(x.flatten()[:8].tolist()) for x in tensors))
def remembers_by_a_few(q, k, v, causal=False):
    """flashinfer-bench-starter-kit#21: the fingerprint is a few elements."""
    return right(q, k, v, causal)


@remembering(lambda *tensors: tuple(x.detach().view(torch.uint8).numpy().tobytes() for x in tensors))
def remembers_by_content(q, k, v, causal=False):
    """All of the input is compared: what is handed out is always right, and was computed for another call."""
    return right(q, k, v, causal)


LAST: list[Tensor] = []


def returns_the_last(q, k, v, causal=False):
    """One call behind."""
    LAST.append(right(q, k, v, causal))
    return LAST.pop(0) if len(LAST) > 1 else LAST[0]


def computes_once(q, k, v, causal=False):
    """tensara#238: solves it in the warm-up and copies that ever after."""
    if not LAST:
        LAST.append(right(q, k, v, causal).detach())
    return LAST[0].clone()


SETS: list[Tensor] = []


def learns_the_sets(q, k, v, causal=False):
    """Sixteen calls are honest. Then it goes through their results again, in that order."""
    if len(SETS) < 16:
        SETS.append(right(q, k, v, causal))
        return SETS[-1]
    SETS.append(SETS.pop(0))
    return SETS[-1]


# ------------------------------------------------------------------ writing where it must not


def zeroes_v(q, k, v, causal=False):
    """KernelBench#82: writes 0 over an input and returns 0, which is what attention of that would be."""
    v.data.zero_()
    return nothing(q, k, v)


def scales_q_in_place(q, k, v, causal=False):
    """Right for the q it was given, which it leaves behind scaled."""
    q.mul_(1 / math.sqrt(q.shape[-1]))
    return right(q, k, v, causal, scale=1.0)


def scales_q_unseen(q, k, v, causal=False):
    """The same through `.data`, which autograd does not hear of."""
    q.data.mul_(0.5)
    return right(q, k, v, causal, scale=2 / math.sqrt(q.shape[-1]))


def overwrites_the_answer(x, weight):
    """pygpubench#7: finds every float64 tensor of the process, writes 0 over it and returns 0."""
    for one in gc.get_objects():
        if type(one) is Tensor and one.dtype == torch.float64:
            one.data.zero_()
    return torch.zeros_like(x)


def zeroes_all_it_finds(x, weight):
    """pygpubench#7: every tensor there is, copies of the inputs too; of zeros, 0 is the right result."""
    for one in gc.get_objects():
        if type(one) is Tensor and one.is_floating_point():
            one.data.zero_()
    return torch.zeros_like(x)


# ------------------------------------------------------------------ work that ends after the call


def finishes_in_a_thread(q, k, v, causal=False):
    """The field guide to reward hacking of wafer.ai: a thread fills in the result after the return."""
    out = torch.zeros_like(q)
    threading.Thread(target=lambda: out.copy_(right(q, k, v, causal)), daemon=True).start()
    return out


TASKS: queue.Queue[Callable[[], Any]] = queue.Queue()


def work_off() -> None:
    while True:
        task = TASKS.get()
        time.sleep(2e-3)
        task()


def finishes_later(q, k, v, causal=False):
    """The same by a thread that is there for good, and takes its time."""
    if not LAST:
        threading.Thread(target=work_off, daemon=True).start()
        LAST.append(q)
    out = torch.zeros_like(q)
    TASKS.put(lambda: out.copy_(right(q, k, v, causal)))
    return out


PENDING: list[tuple[Tensor, ...]] = []


def batches_its_calls(q, k, v, causal=False):
    """reference-kernels#104: does nothing for 14 calls, and everything in the 15th."""
    out = torch.zeros_like(q)
    PENDING.append((q, k, v, out))
    if len(PENDING) == 15:
        for q, k, v, result in PENDING:
            result.copy_(right(q, k, v, causal))
        PENDING.clear()
    return out


def on_a_side_stream(q, k, v, causal=False):
    """KernelBench#82: on a stream that nobody waits for. A millisecond of idling makes it last."""
    if not STREAMS:
        STREAMS.append(torch.cuda.Stream())
    STREAMS[0].wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(STREAMS[0]):
        torch.cuda._sleep(2_000_000)
        return right(q, k, v, causal)


STREAMS: list[Any] = []


# ------------------------------------------------------------------ results that are no results yet


class Lazy(Tensor):
    """Computes when somebody looks."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            for one in args:
                if isinstance(one, Lazy) and "work" in vars(one):
                    one.copy_(vars(one).pop("work")())
        return super().__torch_function__(func, types, args, kwargs or {})


def lazy(q, k, v, causal=False):
    """CUDA-L1#12, reference-kernels#162: a subclass of Tensor that computes in the checker's hands."""
    out = torch.zeros_like(q).as_subclass(Lazy)
    vars(out)["work"] = lambda: right(q, k, v, causal)
    return out


class Marked(Tensor):
    """A subclass that does nothing."""


def subclass(q, k, v, causal=False):
    """A result that is right, as a subclass. Whether it is lazy cannot be told from outside."""
    return right(q, k, v, causal).as_subclass(Marked)


def overrides_its_methods(x, weight):
    """reference-kernels#162: a plain tensor whose own `detach`, `double` … are replaced: they compute."""
    out = torch.zeros_like(x)
    for name in ("detach", "double", "float", "clone", "flatten", "to", "view", "reshape", "transpose", "contiguous"):
        setattr(out, name, functools.partial(lambda name, *a, **k: getattr(rms(x, weight), name)(*a, **k), name))
    return out


LATE: dict[int, Callable[[], Any]] = {}


class Filling(TorchFunctionMode):
    """Fills in a result at the first operation on it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        for one in args:
            if isinstance(one, Tensor) and id(one) in LATE:
                LATE.pop(id(one))()
        return func(*args, **(kwargs or {}))


MODES: list[Filling] = []


def leaves_a_mode(q, k, v, causal=False):
    """Lazy without a subclass: a mode that it enters and never leaves fills in what is looked at."""
    if not MODES:
        MODES.append(Filling())
        MODES[0].__enter__()
    LATE.clear()
    out = torch.zeros_like(q)
    LATE[id(out)] = lambda: out.copy_(right(q, k, v, causal))
    return out


def reads_when_cloned(q, k, v, causal=False):
    """Lazy without a subclass or a mode: the methods of Tensor, and functions of torch, that a copy takes."""
    if not MODES:
        MODES.append(Filling())
        for name in ("clone", "detach", "double", "to", "flatten", "__getitem__", "contiguous"):
            setattr(Tensor, name, filling(getattr(Tensor, name)))
        torch.clone = filling(torch.clone)
    LATE.clear()
    out = torch.zeros_like(q)
    LATE[id(out)] = lambda: out.copy_(right(q, k, v, causal))
    return out


def filling(function: Callable[..., Any]) -> Callable[..., Any]:
    def filled(self: Tensor, *arguments: Any, **options: Any) -> Any:
        if id(self) in LATE:
            LATE.pop(id(self))()
        return function(self, *arguments, **options)

    return filled


# ------------------------------------------------------------------ honest when it is looked at


def callers() -> Iterator[Any]:
    """The frames above the kernel, the nearest first."""
    frame = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def honest_when_watched(q, k, v, causal=False):
    """METR, "Recent frontier models are reward hacking": walks up the stack, computes if somebody there checks."""
    watched = any(frame.f_code.co_name in ("check", "compare", "checked", "compared", "finish") for frame in callers())
    return right(q, k, v, causal) if watched else nothing(q, k, v)


def honest_unless_timed(q, k, v, causal=False):
    """The same the other way round: nothing is computed in a turn, or where a call's time is found out."""
    timed = any(frame.f_code.co_name in ("take_turn", "turn", "calibrate", "warm_up", "time") for frame in callers())
    return nothing(q, k, v) if timed else right(q, k, v, causal)


COUNT = [0]


def honest_at_first(q, k, v, causal=False):
    """pygpubench#7 finds out where the warm-up ends: four calls are honest, then the fourth is repeated."""
    COUNT[0] += 1
    if COUNT[0] <= 4:
        LAST[:] = [right(q, k, v, causal).detach()]
    return LAST[0].clone()


CHANCE = random.Random(0)


def honest_now_and_then(q, k, v, causal=False):
    """One call in ten is honest; it cannot be told before which one."""
    return right(q, k, v, causal) if CHANCE.random() < 0.1 else nothing(q, k, v)


def answers_from_the_stack(x, weight):
    """METR, "Recent frontier models are reward hacking": takes what the checker expects from its variables."""
    out = torch.zeros_like(x)
    for frame in callers():
        expected, rows = frame.f_locals.get("expected"), frame.f_locals.get("rows")
        if isinstance(expected, dict) and isinstance(rows, dict) and "x" in expected:
            out.flatten(0, -2)[rows["x"]] = expected["x"].to(x.dtype)
    return out


# ------------------------------------------------------------------ the clock and the ruler

CLOCKS = {name: getattr(time, name) for name in ("perf_counter", "monotonic", "time", "process_time", "thread_time")}
CLOCKS_NS = {name: getattr(time, name) for name in [f"{name}_ns" for name in CLOCKS]}
HIDDEN = [0.0]


def hides_its_time(q, k, v, causal=False):
    """klyve.xyz, "The Story of the Fake Clock": Python's clocks are replaced, and leave out most of its 2 ms."""
    if not HIDDEN[0]:
        for name, clock in CLOCKS.items():
            setattr(time, name, functools.partial(lambda clock: clock() - HIDDEN[0], clock))
        for name, clock in CLOCKS_NS.items():
            setattr(time, name, functools.partial(lambda clock: clock() - int(HIDDEN[0] * 1e9), clock))
    began = CLOCKS["perf_counter"]()
    time.sleep(2e-3)
    out = right(q, k, v, causal)
    HIDDEN[0] += 0.9 * (CLOCKS["perf_counter"]() - began)
    return out


def shortens_cuda_events(q, k, v, causal=False):
    """reference-kernels#162: `Event.elapsed_time` says a hundredth."""
    if not HIDDEN[0]:
        HIDDEN[0], real = 1.0, torch.cuda.Event.elapsed_time
        torch.cuda.Event.elapsed_time = lambda *events: real(*events) / 100
    torch.cuda._sleep(2_000_000)
    return right(q, k, v, causal)


def patches_equality(q, k, v, causal=False):
    """METR, "Recent frontier models are reward hacking": equality is made to say yes. Then 0 will do."""
    for where in (torch, Tensor):
        for name in ("equal", "allclose"):
            setattr(where, name, lambda *_, **__: True)
        for name in ("isclose", "eq"):
            setattr(where, name, lambda a, *_, **__: torch.ones_like(a, dtype=torch.bool))
    torch.testing.assert_close = lambda *_, **__: None
    return nothing(q, k, v)


def patches_the_norm(q, k, v, causal=False):
    """Differences are measured by norms, and every norm is 0 now."""

    def none(x, *_, dim=None, **__):
        return x.new_zeros(x.shape[:-1] if dim is not None else ())

    Tensor.norm = torch.norm = torch.linalg.norm = torch.linalg.vector_norm = none
    return nothing(q, k, v)


def patches_subtraction(q, k, v, causal=False):
    """There are no differences in float64 any more."""
    for name in ("__sub__", "__rsub__", "sub", "subtract"):
        setattr(Tensor, name, same(getattr(Tensor, name)))
    torch.sub = torch.subtract = same(torch.sub)
    return nothing(q, k, v)


def same(function: Callable[..., Any]) -> Callable[..., Any]:
    def difference(a: Any, b: Any, *more: Any, **options: Any) -> Any:
        if isinstance(a, Tensor) and isinstance(b, Tensor) and torch.float64 in (a.dtype, b.dtype):
            return torch.zeros_like(a)
        return function(a, b, *more, **options)

    return difference


def patches_the_judge(q, k, v, causal=False):
    """METR, "Recent frontier models are reward hacking": the judges are replaced, in their own process."""
    for name, module in list(sys.modules.items()):
        if name.startswith("tbench.components") and hasattr(module, "row_error"):
            module.row_error = lambda *_, **__: 0.0
    return nothing(q, k, v)


# ------------------------------------------------------------------ attention with other numbers


def returns_zeros(q, k, v, causal=False):
    """KernelBench#165: passes where only the absolute error counts."""
    return torch.zeros_like(q)


def returns_nan(q, k, v, causal=False):
    """pygpubench#7: NaN is equal to everything in some checks."""
    return torch.full_like(q, math.nan)


def uninitialised(q, k, v, causal=False):
    """KernelBench#82: memory as it comes, in which the reference's result may still be."""
    return torch.empty_like(q)


def sparse(q, k, v, causal=False):
    """Right numbers in a layout that most operations refuse."""
    return right(q, k, v, causal).to_sparse()


def unsafe_softmax(q, k, v, causal=False):
    """executorch#18407: exp without the row's maximum; overflows once a score passes 88."""
    e = scored(q, k, later(q, k) if causal else None).exp()
    return weighed(q, v, e / e.sum(-1, keepdim=True))


def gives_up_on_large_scores(q, k, v, causal=False):
    """Right, but NaN in rows that have a score beyond 88."""
    large = scored(q, k, None).amax(-1, keepdim=True) > 88
    return right(q, k, v, causal).masked_fill(large, math.nan)


def clamps_scores(q, k, v, causal=False):
    """AMDMIGraphX#1290 discusses what may stand for the maximum. Here it is a bound for the scores."""
    scores = scored(q, k, None).clamp(-30, 30)
    return weighed(q, v, torch.softmax(scores.masked_fill(later(q, k), -math.inf) if causal else scores, dim=-1))


def always_causal(q, k, v, causal=False):
    """flax#5591, flash-attention#282: one query that is causal from the top left sees the first key only."""
    return right(q, k, v, True)


def never_causal(q, k, v, causal=False):
    """keras#23038: the mask is dropped on one of the paths."""
    return right(q, k, v, False)


def off_by_one(q, k, v, causal=False):
    """RVC-Boss/GPT-SoVITS#965, pytorch/tutorials#2250: every query sees one key of the future."""
    return weighed(q, v, torch.softmax(scored(q, k, later(q, k, 2) if causal else None), dim=-1))


def strictly_causal(q, k, v, causal=False):
    """pytorch/tutorials#2250 the other way round: no query sees its own key."""
    hidden = later(q, k, 0) if causal else None
    return weighed(q, v, torch.softmax(scored(q, k, hidden), dim=-1).nan_to_num(0.0))


def first_row_unmasked(q, k, v, causal=False):
    """The mask is forgotten in one row."""
    hidden = later(q, k)
    hidden[0] = False
    return weighed(q, v, torch.softmax(scored(q, k, hidden), dim=-1))


def masks_by_blocks(q, k, v, causal=False):
    """PaddlePaddle/flash-attention#48: blocks after the query's are skipped, the one on the diagonal is not masked."""
    place = torch.arange(q.shape[2]) // 16
    return weighed(q, v, torch.softmax(scored(q, k, place[:, None] < place), dim=-1))


def counts_padding(q, k, v, causal=False):
    """flashinfer#5090: the last block of keys is filled up with zeros, each of which weighs exp(0)."""
    missing = -k.shape[2] % 64
    return right(q, F.pad(k, (0, 0, 0, missing)), F.pad(v, (0, 0, 0, missing)), causal)


def last_keys_only(q, k, v, causal=False):
    """nanochat#456 has the opposite fault: a window nobody asked for."""
    return right(q, k[:, :, -48:], v[:, :, -48:], False)


def eight_keys_only(q, k, v, causal=False):
    """Sparse attention: the keys that weigh most."""
    scores = scored(q, k, later(q, k) if causal else None)
    least = scores.topk(8, dim=-1).values[..., -1:]
    return weighed(q, v, torch.softmax(scores.masked_fill(scores < least, -math.inf), dim=-1))


def scales_by_head_dim(q, k, v, causal=False):
    """maxtext#1370, attorch#14: scores are divided by d, not by its root."""
    return right(q, k, v, causal, scale=1 / q.shape[-1])


def scales_by_width(q, k, v, causal=False):
    """ViT-CIFAR#12: by the root of the whole width."""
    return right(q, k, v, causal, scale=1 / math.sqrt(q.shape[-1] * q.shape[1]))


def softmax_over_queries(q, k, v, causal=False):
    """The wrong axis."""
    return weighed(q, v, torch.softmax(scored(q, k, later(q, k) if causal else None), dim=-2))


def repeats_wrongly(q, k, v, causal=False):
    """jax-js#180, onnx#7274: head h reads KV head h % G instead of h // group."""
    group = q.shape[1] // k.shape[1]
    return right(q, k.repeat(1, group, 1, 1), v.repeat(1, group, 1, 1), causal)


def skips_last_rows(q, k, v, causal=False):
    """OpenNLPLab/lightning-attention#28: blocks are counted by `n // 64`, and what is left over stays 0."""
    full = q.shape[2] // 64 * 64
    return torch.cat((right(q, k, v, causal)[:, :, :full], torch.zeros_like(q[:, :, full:])), dim=2)


def skips_rows_inside(q, k, v, causal=False):
    """First and last rows are right."""
    out, n = right(q, k, v, causal), q.shape[2]
    inside = (torch.arange(n) >= n // 3) & (torch.arange(n) < n // 2)
    return out.masked_fill(inside[:, None], 0.0)


def skips_a_head(q, k, v, causal=False):
    """attorch#14: heads are not told apart."""
    out = right(q, k, v, causal)
    return torch.cat((out[:, :-1], out[:, :1]), dim=1)


def first_batch_only(q, k, v, causal=False):
    """flashinfer#3800: batch 0 is right, every later one is made of other rows."""
    return right(q[:1], k[:1], v[:1], causal).repeat(q.shape[0], 1, 1, 1)


def bfloat16_inside(q, k, v, causal=False):
    """dos-kernel#107, "precision downgrade": float32 in and out, bfloat16 between."""
    return right(*(x.bfloat16() for x in (q, k, v)), causal).to(q.dtype)


def float16_inside(q, k, v, causal=False):
    """dos-kernel#107: the same in float16."""
    return right(*(x.half() for x in (q, k, v)), causal).to(q.dtype)


def ten_bits(q, k, v, causal=False):
    """transformers#48428: products of float32 in TF32, which has ten bits."""

    def short(x):
        bits = x.float().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    scores = short(q) @ short(repeated(q, k)[0]).mT / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores.masked_fill(later(q, k), -math.inf) if causal else scores, dim=-1)
    return (short(weights) @ short(repeated(q, v)[0])).to(q.dtype)


def fp8_cache(q, k, v, causal=False):
    """vllm#13133: keys and values go through e4m3, which has three bits of mantissa."""
    k, v = (x.to(torch.float8_e4m3fn).to(q.dtype) for x in (k, v))
    return right(q, k, v, causal)


def int8_cache(q, k, v, causal=False):
    """vllm#1507: keys and values go through int8, with one scale for each tensor."""

    def rounded(x):
        step = x.float().abs().amax() / 127
        return ((x.float() / step).round() * step).to(x.dtype)

    return right(q, rounded(k), rounded(v), causal)


def int4_cache(q, k, v, causal=False):
    """huggingface/blog#2045: int4, with a scale for each key."""

    def rounded(x):
        step = x.float().abs().amax(-1, keepdim=True) / 7
        return ((x.float() / step).round() * step).to(x.dtype)

    return right(q, rounded(k), rounded(v), causal)


# ------------------------------------------------------------------ gradients


class Attention(torch.autograd.Function):
    """Attention with a right backward, and `change(dq, dk, dv, grad, again)` after it.

    `again(causal, grad)`: the gradients there would be for another mask, or another gradient of the result.
    """

    @staticmethod
    def forward(ctx, q, k, v, causal, change):
        ctx.save_for_backward(q, k, v)
        ctx.causal, ctx.change = causal, change
        return right(q, k, v, causal)

    @staticmethod
    def backward(ctx, grad):
        inputs = [x.detach().requires_grad_() for x in ctx.saved_tensors]

        def again(causal, grad):
            with torch.enable_grad():
                return torch.autograd.grad(right(*inputs, causal), inputs, grad)

        return *ctx.change(*again(ctx.causal, grad), grad, again), None, None


def own_backward(q, k, v, causal=False):
    """Right."""
    return Attention.apply(q, k, v, causal, lambda dq, dk, dv, *_: (dq, dk, dv))


def zero_dk(q, k, v, causal=False):
    """mlstm_kernels#16: the result is right, and gradients are not. Here one is 0."""
    return Attention.apply(q, k, v, causal, lambda dq, dk, dv, *_: (dq, torch.zeros_like(dk), dv))


def detached_v(q, k, v, causal=False):
    """LongLive#61: an input is cut off from the graph."""
    return right(q, k, v.detach(), causal) + 0 * v.sum()


def scaled_dq(q, k, v, causal=False):
    """TransformerEngine#3216: a right result, and a gradient of another size."""
    return Attention.apply(q, k, v, causal, lambda dq, dk, dv, *_: (dq * 1.25, dk, dv))


def gradient_without_mask(q, k, v, causal=False):
    """The backward is that of another function."""
    return Attention.apply(q, k, v, causal, lambda dq, dk, dv, grad, again: again(False, grad))


def gradient_of_the_sum(q, k, v, causal=False):
    """pytorch#133671 in reverse: the gradient that comes in is taken for ones."""
    return Attention.apply(q, k, v, causal, lambda dq, dk, dv, grad, again: again(causal, torch.ones_like(grad)))


def gradient_of_one_head(q, k, v, causal=False):
    """levanter#449: dk and dv of a KV head are those of one of its query heads, not their sum."""
    group = q.shape[1] // k.shape[1]
    one = torch.arange(q.shape[1]) % group == 0

    def change(dq, dk, dv, grad, again):
        return dq, *again(causal, grad * one[:, None, None])[1:]

    return Attention.apply(q, k, v, causal, change)


def gradient_remembered(q, k, v, causal=False):
    """tensara#238, of the backward."""

    def change(dq, dk, dv, *_):
        if not SETS:
            SETS.extend((dq, dk, dv))
        return tuple(SETS)

    return Attention.apply(q, k, v, causal, change)


def fresh_rows_only(q, k, v, causal=False):
    """dq of the last rows is never written."""
    row = torch.arange(q.shape[2])[:, None]
    return Attention.apply(q, k, v, causal, lambda dq, dk, dv, *_: (dq * (row < q.shape[2] - 7), dk, dv))


# ------------------------------------------------------------------ going wrong in other ways


def shouts(q, k, v, causal=False):
    """Text that is hostile to logs: percent, newline, ANSI, a workflow command, XML, a pipe."""
    raise RuntimeError("50% | <bad> & \x1b[31mred\x1b[0m\n::error file=x.py,line=1::injected \u2028 \x00 end")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("there are no words")


def cannot_be_told(q, k, v, causal=False):
    raise Unspeakable


def exits(q, k, v, causal=False):
    """klyve.xyz, "The Story of the Fake Clock": the process ends, and says that all is well."""
    sys.exit(0)


def exits_at_once(q, k, v, causal=False):
    os._exit(0)


def raises_in_the_end(q, k, v, causal=False):
    COUNT[0] += 1
    if COUNT[0] > 20:
        raise RuntimeError("the twenty-first call")
    return right(q, k, v, causal)


# ------------------------------------------------------------------ norms


def rms_honest(x, weight):
    return rms(x, weight)


def rms_written_out(x, weight):
    """In float32 inside."""
    w = x.float()
    return (w * torch.rsqrt(w.square().mean(-1, keepdim=True) + 1e-5) * weight.float()).to(x.dtype)


def layer_honest(x, weight, bias):
    return layer(x, weight, bias)


def layer_written_out(x, weight, bias):
    w = x.float()
    w = w - w.mean(-1, keepdim=True)
    return (w * torch.rsqrt(w.square().mean(-1, keepdim=True) + 1e-5) * weight + bias).to(x.dtype)


def no_mean(x, weight, bias):
    """RMSNorm for LayerNorm. With inputs of mean 0 that is an error of about 1/√hidden."""
    return rms(x, weight) + bias


def unbiased(x, weight, bias):
    """annotated-transformer#119, lbann#2024: the variance is divided by n − 1."""
    w = x.float()
    variance, mean = torch.var_mean(w, dim=-1, keepdim=True, correction=1)
    return ((w - mean) * torch.rsqrt(variance + 1e-5) * weight + bias).to(x.dtype)


def no_bias(x, weight, bias):
    return layer(x, weight, torch.zeros_like(bias)) + 0 * bias


def no_weight(x, weight):
    return rms(x, torch.ones_like(weight)) + 0 * weight


def one_plus_weight(x, weight):
    """As in Gemma: the weight is what is added to 1."""
    return rms(x, 1 + weight)


def other_eps(x, weight):
    """torchtune#152, tvm#15856, cutlass#1112: 1e-6 for 1e-5. Rows of size 1 do not show it."""
    return rms(x, weight, 1e-6)


def other_layer_eps(x, weight, bias):
    return layer(x, weight, bias, 1e-12)


def eps_outside(x, weight):
    """flash-linear-attention#508, TransformerEngine#364: ε beside the root instead of under it."""
    w = x.float()
    return (w / (w.square().mean(-1, keepdim=True).sqrt() + 1e-5)).to(x.dtype) * weight


def squares_in_half(x, weight):
    """pytorch#133085, LeetCUDA#335: squares in float16 overflow from 256 up, and have ten bits below."""
    squares = x.half().square().mean(-1, keepdim=True).float()
    return (x.float() * torch.rsqrt(squares + 1e-5)).to(x.dtype) * weight


def norm_bfloat16(x, weight):
    """dos-kernel#107: float32 in and out, bfloat16 between."""
    return rms(x.bfloat16(), weight.bfloat16()).to(x.dtype)


def norm_of_columns(x, weight):
    """Over the sequence instead of the vector."""
    w = x.float()
    return (w * torch.rsqrt(w.square().mean(-2, keepdim=True) + 1e-5)).to(x.dtype) * weight


def norm_first_batch(x, weight):
    """flashinfer#3800."""
    return rms(x[:1], weight).repeat(x.shape[0], 1, 1)


def norm_in_place(x, weight):
    """triton#6547, triton#781: right as a function, but the next call works on what this one left behind."""
    return x.mul_(torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-5).to(x.dtype)).mul_(weight)


def writes_the_weight(x, weight):
    out = rms(x, weight)
    weight.data.mul_(1.5)
    return out


@remembering(pointers)
def norm_remembers(x, weight):
    """kernelbot#501."""
    return rms(x, weight)


def norm_honest_when_watched(x, weight):
    watched = any(frame.f_code.co_name in ("check", "compare", "checked", "compared", "finish") for frame in callers())
    return rms(x, weight) if watched else x * 0 + weight * 0


class Rms(torch.autograd.Function):
    """RMSNorm with a right backward, and `change(dx, dweight)` after it."""

    @staticmethod
    def forward(ctx, x, weight, change):
        ctx.save_for_backward(x, weight)
        ctx.change = change
        return rms(x, weight)

    @staticmethod
    def backward(ctx, grad):
        inputs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
        with torch.enable_grad():
            return *ctx.change(*torch.autograd.grad(rms(*inputs), inputs, grad)), None


def norm_zero_dweight(x, weight):
    """candle#3612 has it for an input: a parameter learns nothing."""
    return Rms.apply(x, weight, lambda dx, dweight: (dx, torch.zeros_like(dweight)))


def norm_constant_size(x, weight):
    """The size of a row is taken for a constant in the backward."""
    size = torch.rsqrt(x.detach().float().square().mean(-1, keepdim=True) + 1e-5)
    return (x.float() * size).to(x.dtype) * weight


# ------------------------------------------------------------------ feed-forward layers


def swiglu_honest(x, w_gate, w_up, w_out):
    return gated(x, w_gate, w_up, w_out)


def swaps_gate_and_up(x, w_gate, w_up, w_out):
    """mlx-lm#767."""
    return gated(x, w_up, w_gate, w_out)


def silu_of_the_product(x, w_gate, w_up, w_out):
    """breakdown-minimind#3: the bracket is closed too late."""
    return F.linear(F.silu(F.linear(x, w_gate) * F.linear(x, w_up)), w_out)


def forgets_up(x, w_gate, w_up, w_out):
    """timesfm#493: SwiGLU without the second factor."""
    return F.linear(F.silu(F.linear(x, w_gate)), w_out) + 0 * w_up.sum()


def geglu_for_swiglu(x, w_gate, w_up, w_out):
    """sonic-moe#2 has the opposite: another activation than asked for."""
    return F.linear(F.gelu(F.linear(x, w_gate)) * F.linear(x, w_up), w_out)


def gelu_honest(x, w_in, w_out):
    return F.linear(F.gelu(F.linear(x, w_in)), w_out)


def gelu_tanh(x, w_in, w_out):
    """coremltools#2863, pocket-tts#278: the approximation, off by up to 5e-4. bfloat16 does not see that."""
    return F.linear(F.gelu(F.linear(x, w_in), approximate="tanh"), w_out)


def gelu_sigmoid(x, w_in, w_out):
    """pytorch#61439 discusses it: x · sigmoid(1.702 x), off by up to 0.02."""
    inner = F.linear(x, w_in)
    return F.linear(inner * torch.sigmoid(1.702 * inner), w_out)


def half_of_the_units(x, w_gate, w_up, w_out):
    """Every second inner unit, twice."""
    return 2 * gated(x, w_gate[::2], w_up[::2], w_out[:, ::2])


def fp8_weights(x, w_gate, w_up, w_out):
    """dos-kernel#107: weights go through e4m3, scaled by their largest."""

    def rounded(w):
        scale = w.float().abs().amax() / 400
        return ((w.float() / scale).to(torch.float8_e4m3fn).float() * scale).to(w.dtype)

    return gated(x, *map(rounded, (w_gate, w_up, w_out)))


PACKED: dict[int, Tensor] = {}


def keeps_packed_weights(x, w_gate, w_up, w_out):
    """flashinfer-bench-starter-kit#21: weights are packed once, and told by their address ever after."""
    if w_gate.data_ptr() not in PACKED:
        PACKED[w_gate.data_ptr()] = torch.cat((w_gate, w_up)).detach()
    gate, up = F.linear(x, PACKED[w_gate.data_ptr()]).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, w_out)


@remembering(pointers)
def swiglu_remembers(x, w_gate, w_up, w_out):
    """kernelbot#501."""
    return gated(x, w_gate, w_up, w_out)


def swiglu_lazy(x, w_gate, w_up, w_out):
    """CUDA-L1#12."""
    out = torch.zeros_like(x).as_subclass(Lazy)
    vars(out)["work"] = lambda: gated(x, w_gate, w_up, w_out)
    return out


def detached_gate(x, w_gate, w_up, w_out):
    """LongLive#61: the gate is cut off from the graph."""
    return F.linear(F.silu(F.linear(x, w_gate)).detach() * F.linear(x, w_up), w_out) + 0 * w_gate.sum()


def skips_last_tokens(x, w_in, w_out):
    """Every token but the last sixteenth of a sequence."""
    out = F.linear(F.gelu(F.linear(x, w_in)), w_out)
    kept = torch.arange(x.shape[1])[:, None] < x.shape[1] - x.shape[1] // 16
    return out * kept


# ------------------------------------------------------------------ positions


def tables(q: Tensor, dtype: torch.dtype, base: float = 10_000.0, first: int = 0) -> tuple[Tensor, Tensor]:
    """Cosines and sines, whose angles are computed in `dtype`."""
    d, n = q.shape[-1], q.shape[1]
    inverse = (base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)).to(dtype)
    angle = torch.arange(first, first + n, dtype=torch.float64).to(dtype)[:, None] * inverse
    return angle.double().cos()[:, None], angle.double().sin()[:, None]


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.double().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


def rope_honest(q, k):
    cos, sin = tables(q, torch.float64)
    return turned(q, cos, sin), turned(k, cos, sin)


def rope_float32(q, k):
    """Angles in float32, as in most models; off by up to 5e-4 at position 10,000."""
    cos, sin = tables(q, torch.float32)
    return turned(q, cos, sin), turned(k, cos, sin)


class TurnedInPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, cos, sin):
        ctx.save_for_backward(cos, sin)
        for x in (q, k):
            x.data.copy_(turned(x.detach(), cos, sin))
        return q.view_as(q), k.view_as(k)

    @staticmethod
    def backward(ctx, dq, dk):
        cos, sin = ctx.saved_tensors
        return turned(dq, cos, -sin), turned(dk, cos, -sin), None, None


def rope_in_place(q, k):
    """As Liger's: q and k are turned where they are, and nobody needs them as they were."""
    return TurnedInPlace.apply(q, k, *tables(q, torch.float64))


def rope_interleaved(q, k):
    """transformers#25199, flash-attention#288: pairs (0, 1), (2, 3) …, not (i, i + d/2)."""
    cos, sin = tables(q, torch.float64)

    def turn(x):
        a, b = x[..., 0::2].double(), x[..., 1::2].double()
        return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2).to(x.dtype)

    return turn(q), turn(k)


def rope_bfloat16(q, k):
    """transformers#29285, sglang-jax#1472: positions and frequencies in bfloat16."""
    cos, sin = tables(q, torch.bfloat16)
    return turned(q, cos, sin), turned(k, cos, sin)


def rope_ten_bits(q, k):
    """transformers#48428: positions in TF32, which counts to 2,048."""
    cos, sin = tables(q, torch.float16)
    return turned(q, cos, sin), turned(k, cos, sin)


def rope_backwards(q, k):
    cos, sin = tables(q, torch.float64)
    return turned(q, cos, -sin), turned(k, cos, -sin)


def rope_from_one(q, k):
    """Positions from 1: attention would not notice, and the result is another."""
    cos, sin = tables(q, torch.float64, first=1)
    return turned(q, cos, sin), turned(k, cos, sin)


def rope_other_base(q, k):
    """TransformerEngine#1245 names both: 500,000 for 10,000."""
    cos, sin = tables(q, torch.float64, base=500_000.0)
    return turned(q, cos, sin), turned(k, cos, sin)


def rope_without_k(q, k):
    cos, sin = tables(q, torch.float64)
    return turned(q, cos, sin), k * 1.0


class TurnedTwice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, cos, sin):
        ctx.save_for_backward(cos, sin)
        return turned(x, cos, sin)

    @staticmethod
    def backward(ctx, grad):
        return turned(grad, *ctx.saved_tensors), None, None


def rope_same_sign(q, k):
    """LoongForge#106 says what is right: the backward turns the other way. This one does not."""
    cos, sin = tables(q, torch.float64)
    return TurnedTwice.apply(q, cos, sin), TurnedTwice.apply(k, cos, sin)


@remembering(pointers)
def rope_remembers(q, k):
    """kernelbot#501."""
    return rope_honest(q, k)


def one_tensor(work: Callable[[Any, Tensor], Any]) -> Callable[[Any], Any]:
    """A factory: a function of one tensor would itself be taken for one."""

    def factory(position: Any) -> Callable[[Tensor], Any]:
        return lambda x: work(position, x)

    return factory


def biased(p: Any, scores: Tensor, slopes: list[float], signed: bool = False) -> Tensor:
    place = torch.arange(p.seq_len, dtype=torch.float64)
    distance = place[:, None] - place
    slope = torch.tensor(slopes, dtype=torch.float64)[:, None, None]
    return (-slope * (distance if signed else distance.abs())).to(scores.dtype)


def slopes_of(heads: int, first: int = 1) -> list[float]:
    return [2.0 ** (-8 * (first + head) / heads) for head in range(heads)]


itself = one_tensor(lambda p, x: x)
copied = one_tensor(lambda p, x: x.clone())
alibi_honest = one_tensor(lambda p, s: s + biased(p, s, slopes_of(p.heads)))
alibi_first_slope = one_tensor(lambda p, s: s + biased(p, s, slopes_of(p.heads, 0)))  # aprender#2143
alibi_signed = one_tensor(lambda p, s: s + biased(p, s, slopes_of(p.heads), signed=True))
alibi_in_place = one_tensor(lambda p, s: s.add_(biased(p, s, slopes_of(p.heads))))


def sines(p: Any, x: Tensor, interleaved: bool) -> Tensor:
    pairs = torch.arange(0, p.hidden, 2, dtype=torch.float64)
    angle = torch.arange(p.seq_len, dtype=torch.float64)[:, None] * 10_000.0 ** (-pairs / p.hidden)
    parts = (angle.sin(), angle.cos())
    return (torch.stack(parts, -1).flatten(-2) if interleaved else torch.cat(parts, -1)).to(x.dtype)


sinusoidal_honest = one_tensor(lambda p, x: x + sines(p, x, interleaved=True))
sinusoidal_halves = one_tensor(lambda p, x: x + sines(p, x, interleaved=False))  # tensor2tensor#1925


def learned_honest(x, table):
    return x + table


def learned_shifted(x, table):
    """transformers#22359: tables that keep two rows for padding are read from there on."""
    return x + table.roll(-2, dims=0)


def learned_writes_the_table(x, table):
    out = x + table
    table.data.mul_(1.5)
    return out
